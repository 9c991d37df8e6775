"""Conditions about groups: by name, by DN, by SID, by a pattern; and where they must lie."""

from __future__ import annotations

from dataclasses import dataclass

from idp.directory.person import Group
from idp.entitlements.condition_words import groups_in_words, one_of, resembling
from idp.entitlements.dn import Dn, dn_key, lies_under, loose_dn_key, parse_dn
from idp.entitlements.facts import Facts
from idp.entitlements.names import loose_key, name_key
from idp.entitlements.pattern import GroupPattern


@dataclass(frozen=True, slots=True)
class GroupBases:
    """The places in the directory's tree where a rule's groups must lie; none: anywhere.

    A group of which nobody knows where it lies, for lack of a DN, lies in none of them. For a
    rule that denies it is the other way round (`doubt_counts`): doubt must not open a door.
    """

    texts: tuple[str, ...] = ()
    keys: tuple[Dn, ...] = ()
    doubt_counts: bool = False

    @classmethod
    def parse(cls, texts: tuple[str, ...], *, doubt_counts: bool) -> GroupBases:
        """Read the bases. Raises BadDn."""
        keys = tuple(map(parse_dn, texts))
        if doubt_counts:
            keys = tuple(filter(None, map(loose_dn_key, texts)))
        return cls(texts, keys, doubt_counts)

    def hold(self, group: Group) -> bool:
        """Whether the group lies under one of them."""
        if not self.keys:
            return True
        key_of = loose_dn_key if self.doubt_counts else dn_key
        key = key_of(group.dn) if group.dn else None
        if key is None:
            return self.doubt_counts
        return any(lies_under(key, base) for base in self.keys)

    def wanted(self) -> str:
        """In words, empty if anywhere will do."""
        return f" under {one_of(self.texts)}" if self.texts else ""

    def hint(self, groups: tuple[Group, ...]) -> str:
        """Where the groups lie that would do if they lay elsewhere; else empty."""
        for group in groups:
            if not self.hold(group):
                where = f"lies at {group.dn}" if group.dn else "has no DN"
                return f"group {group.name} {where}, which is not under {one_of(self.texts)}"
        return ""


class InGroup:
    """The person is a member of one of these groups; for a rule that denies by any spelling."""

    def __init__(self, groups: tuple[str, ...], bases: GroupBases, *, denies: bool) -> None:
        self.groups = groups
        self.key = loose_key if denies else name_key
        self.keys = frozenset(map(self.key, groups))
        self.bases = bases

    def met(self, facts: Facts) -> bool:
        """Whatever the case."""
        keys = facts.group_keys if self.key is name_key else map(self.key, facts.group_names)
        if self.keys.isdisjoint(keys):
            return False
        return not self.bases.keys or any(map(self.bases.hold, self._named(facts)))

    def wanted(self) -> str:
        """In words."""
        return f"group {one_of(self.groups)}{self.bases.wanted()}"

    def seen(self, facts: Facts) -> str:
        """The person's groups."""
        return groups_in_words(facts)

    def hint(self, facts: Facts) -> str:
        """A group that lies elsewhere, or one of the rule that looks like one of the person's."""
        if elsewhere := self.bases.hint(self._named(facts)):
            return elsewhere
        hints = (resembling(key, self.groups, "group") for key in sorted(facts.group_keys))
        return next(filter(None, hints), "")

    def _named(self, facts: Facts) -> tuple[Group, ...]:
        return tuple(group for group in facts.person.groups if self.key(group.name) in self.keys)


class InGroupOfDn:
    """The person is a member of one of the groups with these DNs. Raises BadDn."""

    def __init__(self, dns: tuple[str, ...], *, denies: bool) -> None:
        self.dns = dns
        self.key = loose_dn_key if denies else dn_key
        self.keys = frozenset(self.key(dn) for dn in dns if parse_dn(dn))

    def met(self, facts: Facts) -> bool:
        """As DNs compare, not as texts do."""
        return any(group.dn and self.key(group.dn) in self.keys for group in facts.person.groups)

    def wanted(self) -> str:
        """In words."""
        return f"group {one_of(self.dns)}"

    def seen(self, facts: Facts) -> str:
        """The DNs of the person's groups."""
        dns = tuple(group.dn for group in facts.person.groups if group.dn)
        if not dns:
            return f"{groups_in_words(facts)}, none with a DN" if facts.group_names else "no groups"
        return f"groups {'; '.join(dns[:10])}{f' and {len(dns) - 10} others' * (len(dns) > 10)}"

    def hint(self, facts: Facts) -> str:
        """A DN of the rule that looks like one of the person's groups'."""
        hints = (
            resembling(name_key(group.dn), self.dns, "group")
            for group in facts.person.groups
            if group.dn
        )
        return next(filter(None, hints), "")


@dataclass(frozen=True, slots=True)
class InGroupOfSid:
    """The person is a member of one of the groups with these security identifiers."""

    sids: tuple[str, ...]

    def met(self, facts: Facts) -> bool:
        """Exactly."""
        return any(group.sid in self.sids for group in facts.person.groups if group.sid)

    def wanted(self) -> str:
        """In words."""
        return f"group {one_of(self.sids)}"

    def seen(self, facts: Facts) -> str:
        """The SIDs of the person's groups."""
        sids = tuple(group.sid for group in facts.person.groups if group.sid)
        return f"groups {', '.join(sids[:10])}" if sids else "no group with a SID"

    def hint(self, facts: Facts) -> str:
        """None: a SID that is almost right says nothing."""
        return ""


@dataclass(frozen=True, slots=True)
class InGroupNamedLike:
    """The name of one of the person's groups, lying where it must, matches the pattern."""

    pattern: GroupPattern
    bases: GroupBases = GroupBases()

    def names(self, facts: Facts) -> tuple[str, ...]:
        """The names of the groups that lie where they must, each once."""
        if not self.bases.keys:
            return facts.group_names
        return tuple(dict.fromkeys(g.name for g in facts.person.groups if self.bases.hold(g)))

    def met(self, facts: Facts) -> bool:
        """As the directory writes the name, case and all."""
        return any(self.pattern.match(name) for name in self.names(facts))

    def wanted(self) -> str:
        """In words."""
        return f"a group like {self.pattern.text}{self.bases.wanted()}"

    def seen(self, facts: Facts) -> str:
        """The person's groups."""
        return groups_in_words(facts)

    def hint(self, facts: Facts) -> str:
        """A group that has the right name and lies elsewhere."""
        like = tuple(group for group in facts.person.groups if self.pattern.match(group.name))
        return self.bases.hint(like)
