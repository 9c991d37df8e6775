"""The groups of a person, by asking the groups for their members or the person for memberOf."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from idp.directory.ldap.attributes import group_of
from idp.directory.ldap.connection import Connection
from idp.directory.ldap.names import dn_key, is_below
from idp.directory.ldap.search import Entry, all_of, any_of, equals, pages, read
from idp.directory.ldap.tree import (
    EntryMoved,
    FoundGroup,
    GroupsTooDeep,
    Membership,
    TooManyGroups,
    walk,
)
from idp.settings.directories import DEEPEST_NESTING, MOST_GROUPS, GroupSource

log = logging.getLogger("idp.directory")

MEMBER_OF = "memberOf"
POSIX_GROUP = "posixGroup"
# Kinds of groups that hold DNs, and the attribute that holds them (RFC 4519).
MEMBER_ATTRIBUTES = {"groupOfNames": "member", "groupOfUniqueNames": "uniqueMember"}


@dataclass(frozen=True, slots=True)
class GroupReader:
    """Reads memberships. `base` bounds where groups may lie: one elsewhere counts for nothing.

    `id` is the attribute that tells whether an entry is still the same.
    """

    base: str
    sources: tuple[GroupSource, ...]
    depth: int
    most: int
    page_size: int
    id: str = "entryUUID"

    def memberships(
        self, connection: Connection, person: Entry, username: str, *, with_paths: bool = False
    ) -> list[Membership]:
        """All groups of a person, direct ones first.

        Raises GroupsNotWhole, Refused, ServerFailed: what is not known in full is not known.
        """
        known: dict[str, FoundGroup | None] = {}
        direct = list(self._of(connection, [person.dn], known, [person]))
        direct += self._posix_groups(connection, person, username)

        def parents_of(children: Sequence[FoundGroup]) -> Iterable[FoundGroup]:
            entries = [child.entry for child in children]
            return self._of(connection, [entry.dn for entry in entries], known, entries)

        batch = 1 if with_paths else 50
        found = walk(direct, parents_of, depth=self.depth, most=self.most, batch=batch)
        # Groups were asked for by the DN. If that was not the entry's any more, they said nothing.
        now = read(connection, person.dn, [self.id])
        if now is None or now.raw(self.id) != person.raw(self.id):
            raise EntryMoved
        return found

    def unlimited(self) -> GroupReader:
        """The same as far as any setting lets it go: for looking, not for signing in."""
        return replace(self, most=MOST_GROUPS, depth=DEEPEST_NESTING if self.depth else 0)

    def excess(self, found: Sequence[Membership]) -> str:
        """The audit row's word for why somebody with these groups can't sign in; "" if they can."""
        if len(found) > self.most:
            return TooManyGroups.word
        too_deep = self.depth and any(each.depth > self.depth for each in found)
        return GroupsTooDeep.word if too_deep else ""

    def _of(
        self,
        connection: Connection,
        members: Sequence[str],
        known: dict[str, FoundGroup | None],
        entries: Sequence[Entry],
    ) -> Iterable[FoundGroup]:
        filters = [
            all_of((f"(objectClass={kind})", any_of(equals(attribute, dn) for dn in members)))
            for kind, attribute in MEMBER_ATTRIBUTES.items()
            if kind in self.sources
        ]
        if filters:
            yield from self._search(connection, any_of(filters))
        if MEMBER_OF in self.sources:
            for dn in (dn for entry in entries for dn in entry.texts(MEMBER_OF)):
                key = dn_key(dn)
                if key not in known:
                    known[key] = self._read(connection, dn)
                if group := known[key]:
                    yield group

    def _posix_groups(
        self, connection: Connection, person: Entry, username: str
    ) -> Iterable[FoundGroup]:
        """By name, and the primary group by number (RFC 2307)."""
        if POSIX_GROUP not in self.sources:
            return ()
        parts = [equals("memberUid", username)]
        if number := person.text("gidNumber"):
            parts.append(equals("gidNumber", number))
        filter_ = all_of((f"(objectClass={POSIX_GROUP})", any_of(parts)))
        return self._search(connection, filter_)

    def _search(self, connection: Connection, filter_: str) -> Iterable[FoundGroup]:
        found = pages(connection, self.base, filter_, ["cn"], page_size=self.page_size, whole=True)
        return [FoundGroup(group_of(entry), entry) for entry in found]

    def _read(self, connection: Connection, dn: str) -> FoundGroup | None:
        """A group that memberOf names: it has to be there, and below the base."""
        if not is_below(dn, self.base):
            return None
        entry = read(connection, dn, ["cn", MEMBER_OF])
        if entry is None:
            log.warning("a group that memberOf names can't be read", extra={"group": dn})
            return None
        return FoundGroup(group_of(entry), entry)
