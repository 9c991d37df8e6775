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
from dataclasses import dataclass, replace

from idp.directory.active_directory.identifiers import BadIdentifier, sid_text
from idp.directory.active_directory.names import escaped_bytes, escaped_text
from idp.directory.characters import refused_in_label
from idp.directory.ldap.connection import Connection
from idp.directory.ldap.failure import Refused
from idp.directory.ldap.names import dn_key, is_below
from idp.directory.ldap.search import Entry, TooManyEntries, find, read
from idp.directory.ldap.tree import EntryMoved, FoundGroup, Membership, TooManyGroups, walk
from idp.directory.person import Group
from idp.settings.directories import MOST_GROUPS, NestedGroups

GROUP_ATTRIBUTES = ("sAMAccountName", "objectSid", "memberOf")
_IN_CHAIN = "1.2.840.113556.1.4.1941"  # LDAP_MATCHING_RULE_IN_CHAIN, [MS-ADTS] 3.1.1.3.4.4.3
_IS_GROUP = "(objectCategory=group)"
_OF_A_PERSON = ("objectSid", "primaryGroupID")
_INSUFFICIENT_ACCESS_RIGHTS = 50
_SIDS_AT_ONCE = 100
_DOMAIN = re.compile(r"(?:^|,)(DC=[^,]+(?:,DC=[^,]+)*)$", re.IGNORECASE)


class GroupsUnreadable(Refused):
    """The controller did not give what an account's groups are."""

    def __init__(self, description: str) -> None:
        super().__init__(_INSUFFICIENT_ACCESS_RIGHTS, description)


@dataclass(frozen=True, slots=True)
class GroupReader:
    """Reads the groups of accounts below `base`, at most `most` of them, by "token" or "chain"."""

    way: NestedGroups
    base: str
    most: int
    sources: tuple[str, ...] = ("memberOf",)

    def memberships(
        self,
        connection: Connection,
        person: Entry,
        username: str = "",
        *,
        with_paths: bool = False,
    ) -> list[Membership]:
        """All groups of an entry, sorted by name; the way of each only if it is asked for.

        A group that lies outside `base` is named by its SID. Raises GroupsUnreadable,
        GroupsNotWhole, Refused, ServerFailed.
        """
        by_token = self.way == "token"
        wanted = [*_OF_A_PERSON, *["tokenGroups"] * by_token, *["memberOf"] * with_paths]
        whole = read(connection, person.dn, wanted)
        if whole is None or person.raw("objectSid") not in (None, whole.raw("objectSid")):
            raise EntryMoved
        find_all = self._by_token if by_token else self._in_chain
        try:
            found = find_all(connection, whole)
        except TooManyEntries:
            raise TooManyGroups from None
        except BadIdentifier as problem:
            raise GroupsUnreadable(problem.message) from None
        found.sort(key=lambda each: (each.group.name.casefold(), each.group.dn or ""))
        if with_paths:
            return _paths(whole, found, self.most)
        return [Membership(each, (), 0) for each in found]

    def unlimited(self) -> GroupReader:
        """The same as far as any setting lets it go: for looking, not for signing in."""
        return replace(self, most=MOST_GROUPS)

    def excess(self, found: Sequence[Membership]) -> str:
        """The audit row's word for why somebody with these groups can't sign in; "" if they can."""
        return TooManyGroups.word if len(found) > self.most else ""

    def _by_token(self, connection: Connection, person: Entry) -> list[FoundGroup]:
        """Everybody has at least a primary group, so that none at all means no right to read.

        Somebody with fewer groups than they have could escape a rule that denies.
        """
        sids = person.values.get("tokengroups", ())
        if not sids:
            raise GroupsUnreadable(
                f"tokenGroups of {person.dn} is empty: put the searching account into the group "
                "Windows Authorization Access Group"
            )
        if len(sids) > self.most:
            raise TooManyGroups
        named = {
            group.group.sid: group for some in _some(sids) for group in self._with(connection, some)
        }
        return [named.get(sid_text(sid)) or _outside(sid) for sid in sids]

    def _in_chain(self, connection: Connection, person: Entry) -> list[FoundGroup]:
        primaries = self._with(connection, _primary_sid(person), self._domain(person))
        found = self._above(connection, person) + primaries
        for primary in primaries:
            found += self._above(connection, primary.entry)
        distinct = list({each.group.sid: each for each in found}.values())
        if len(distinct) > self.most:
            raise TooManyGroups
        return distinct

    def _above(self, connection: Connection, member: Entry) -> list[FoundGroup]:
        """The groups above an entry, asked for by its DN. Raises EntryMoved if that was another."""
        condition = f"(member:{_IN_CHAIN}:={escaped_text(member.dn)})"
        found = self._find(connection, condition, self._domain(member))
        now = read(connection, member.dn, ["objectSid"])
        if now is None or now.raw("objectSid") != member.raw("objectSid"):
            raise EntryMoved
        return found

    def _domain(self, entry: Entry) -> str:
        """Where "in chain" looks: all of the entry's domain, for the SIDs of what lies outside."""
        domain = domain_of(entry.dn)
        return domain if domain and is_below(self.base, domain) else self.base

    def _with(
        self, connection: Connection, sids: Iterable[bytes], root: str = ""
    ) -> list[FoundGroup]:
        choices = "".join(f"(objectSid={escaped_bytes(sid)})" for sid in sids)
        return self._find(connection, f"(|{choices})", root) if choices else []

    def _find(self, connection: Connection, condition: str, root: str = "") -> list[FoundGroup]:
        condition = f"(&{_IS_GROUP}{condition})"
        entries = find(connection, root or self.base, condition, GROUP_ATTRIBUTES, most=self.most)
        return [FoundGroup(self._group(entry), entry) for entry in entries]

    def _group(self, entry: Entry) -> Group:
        group = group_of(entry)
        return group if is_below(entry.dn, self.base) else Group(group.sid or "", None, group.sid)


def _paths(person: Entry, found: Sequence[FoundGroup], most: int) -> list[Membership]:
    """The groups with the way by which each is inherited; `person` holds memberOf besides.

    The ways are those of memberOf and of the primary group. Groups that neither explains, such as
    those that lie outside the base, are taken for direct ones.
    """
    by_dn = {dn_key(each.entry.dn): each for each in found if each.group.dn}
    primary = {sid_text(sid) for sid in _primary_sid(person)}
    direct = [by_dn[key] for key in map(dn_key, person.texts("memberOf")) if key in by_dn]
    direct += [each for each in found if each.group.sid in primary]

    def above(groups: Sequence[FoundGroup]) -> list[FoundGroup]:
        keys = [dn_key(dn) for each in groups for dn in each.entry.texts("memberOf")]
        return [by_dn[key] for key in keys if key in by_dn]

    explained = walk(direct, above, depth=len(found), most=most, batch=1)
    seen = {each.group.sid for each in explained}
    return explained + [Membership(each, (), 0) for each in found if each.group.sid not in seen]


def _primary_sid(person: Entry) -> Iterator[bytes]:
    """The primary group is a number in the account's domain: the SIDs differ in their end alone."""
    sid, number = person.raw("objectSid"), person.raw("primaryGroupID")
    if sid and number:
        yield sid[:-4] + int(number).to_bytes(4, "little")


def domain_of(dn: str) -> str:
    """The DN of the domain that an entry lies in: the DC parts at its end."""
    found = _DOMAIN.search(dn)
    return found[1] if found else ""


def group_of(entry: Entry) -> Group:
    """The group of an entry that holds GROUP_ATTRIBUTES. Raises GroupsUnreadable.

    It is named by sAMAccountName, which is unique in its domain. A common name is unique only
    beside its neighbours, so that somebody who may add groups elsewhere could choose it. A name
    with characters that show nothing is not used: the SID stands in its place.
    """
    name, raw = entry.text("sAMAccountName"), entry.raw("objectSid")
    if raw is None:
        raise GroupsUnreadable(f"the searching account may not read objectSid of {entry.dn}")
    sid = sid_text(raw)
    return Group(name if name and not refused_in_label(name) else sid, entry.dn, sid)


def _outside(sid: bytes) -> FoundGroup:
    text = sid_text(sid)
    return FoundGroup(Group(text, None, text), Entry("", {}))


def _some(sids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for at in range(0, len(sids), _SIDS_AT_ONCE):
        yield sids[at : at + _SIDS_AT_ONCE]
