"""All groups of an account, direct and inherited, in two ways.

tokenGroups is what Windows itself puts into a sign-in: security groups as deep as they nest, the
primary group and what that is in, and the groups of other domains that the controller knows of. It
has no distribution groups.

The matching rule "in chain" asks for every group that has the account somewhere among its members.
It has distribution groups too, which people who may not manage security groups can often edit; it
misses groups of other domains, and the primary group, which is no member's attribute and is
therefore asked for besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from idp.directory.active_directory.identifiers import sid_text
from idp.directory.active_directory.names import escaped_bytes, escaped_text
from idp.directory.ldap.connection import Connection
from idp.directory.ldap.search import Entry, TooManyEntries, find, read
from idp.directory.person import Group

GROUP_ATTRIBUTES = ("sAMAccountName", "objectSid")
_IN_CHAIN = "1.2.840.113556.1.4.1941"  # LDAP_MATCHING_RULE_IN_CHAIN, [MS-ADTS] 3.1.1.3.4.4.3
_IS_GROUP = "(objectCategory=group)"
_SIDS_AT_ONCE = 100
_DOMAIN = re.compile(r"(?:^|,)(DC=[^,]+(?:,DC=[^,]+)*)$", re.IGNORECASE)


class GroupsUnreadable(Exception):
    """The controller gave no groups at all for an account."""


@dataclass(frozen=True, slots=True)
class GroupReader:
    """Reads the groups of accounts over one connection: below `base`, at most `most` of them."""

    connection: Connection
    base: str
    most: int

    def by_token(self, person: Entry) -> tuple[Group, ...]:
        """The security groups of an entry. SIDs that nobody below `base` has name themselves.

        Raises GroupsUnreadable: everybody has at least a primary group, and somebody with fewer
        groups than they have could escape a rule that denies. Raises TooManyEntries, Refused,
        ServerFailed.
        """
        found = read(self.connection, person.dn, ("tokenGroups",))
        sids = found.values.get("tokengroups", ()) if found else ()
        if not sids:
            raise GroupsUnreadable
        if len(sids) > self.most:
            raise TooManyEntries
        named = {group.sid: group for some in _some(sids) for group in self._with_sids(some)}
        texts = [sid_text(sid) for sid in sids]
        return _sorted(named.get(text) or Group(text, None, text) for text in texts)

    def in_chain(self, person: Entry) -> tuple[Group, ...]:
        """The groups that have the entry somewhere among their members, and the primary group's.

        `person` holds objectSid and primaryGroupID. Raises as `by_token` does.
        """
        primaries = self._with_sids(_primary_sid(person))
        found = self._above(person.dn) + primaries
        for primary in primaries:
            found += self._above(primary.dn or "")
        return _sorted({group.sid: group for group in found}.values())

    def _above(self, dn: str) -> list[Group]:
        return self._groups(f"(member:{_IN_CHAIN}:={escaped_text(dn)})")

    def _with_sids(self, sids: Iterable[bytes]) -> list[Group]:
        choices = "".join(f"(objectSid={escaped_bytes(sid)})" for sid in sids)
        return self._groups(f"(|{choices})") if choices else []

    def _groups(self, condition: str) -> list[Group]:
        condition = f"(&{_IS_GROUP}{condition})"
        found = find(self.connection, self.base, condition, GROUP_ATTRIBUTES, most=self.most)
        return [group for group in map(group_of, found) if group]


def domain_of(dn: str) -> str:
    """The DN of the domain that an entry lies in: the DC parts at its end."""
    found = _DOMAIN.search(dn)
    return found[1] if found else ""


def dns_name(domain: str) -> str:
    """The DNS name of a domain's DN: corp.example for DC=corp,DC=example."""
    return ".".join(part.strip()[3:] for part in domain.split(","))


def group_of(entry: Entry) -> Group | None:
    """The group of an entry that holds GROUP_ATTRIBUTES.

    It is named by sAMAccountName, which is unique in its domain. A common name is unique only
    beside its neighbours, so that somebody who may add groups elsewhere could choose it.
    """
    name, sid = entry.text("sAMAccountName"), entry.raw("objectSid")
    return Group(name, entry.dn, sid_text(sid)) if name and sid else None


def _primary_sid(person: Entry) -> Iterator[bytes]:
    """The primary group is a number in the account's domain: the SIDs differ in their end alone."""
    sid, number = person.raw("objectSid"), person.raw("primaryGroupID")
    if sid and number:
        yield sid[:-4] + int(number).to_bytes(4, "little")


def _some(sids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for at in range(0, len(sids), _SIDS_AT_ONCE):
        yield sids[at : at + _SIDS_AT_ONCE]


def _sorted(groups: Iterable[Group]) -> tuple[Group, ...]:
    return tuple(sorted(groups, key=lambda group: (group.name.casefold(), group.dn or "")))
