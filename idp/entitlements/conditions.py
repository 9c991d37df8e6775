"""The conditions of a rule: each says whether a person meets it, what it wants and what it saw."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from idp.directory.person import Person
from idp.entitlements.names import name_key
from idp.entitlements.pattern import GroupPattern
from idp.entitlements.rule import RoleRule


@dataclass(frozen=True, slots=True)
class Facts:
    """A person with the keys by which rules find them, worked out once."""

    person: Person
    user_key: str
    group_keys: frozenset[str]
    group_names: tuple[str, ...]

    @classmethod
    def of(cls, person: Person) -> Facts:
        """The facts about `person`."""
        names = tuple(dict.fromkeys(group.name for group in person.groups))
        return cls(person, name_key(person.username), frozenset(map(name_key, names)), names)


class Condition(Protocol):
    """One thing that a rule asks of a person."""

    def met(self, facts: Facts) -> bool:
        """Whether the person meets it."""

    def wanted(self) -> str:
        """What it asks for, in words."""

    def seen(self, facts: Facts) -> str:
        """What the person has instead, in words."""

    def hint(self, facts: Facts) -> str:
        """What may have been meant, if the person almost meets it; else empty."""


class Everyone:
    """Met by everyone; a rule has to ask for it by name."""

    def met(self, facts: Facts) -> bool:
        """Always."""
        return True

    def wanted(self) -> str:
        """In words."""
        return "everyone"

    def seen(self, facts: Facts) -> str:
        """The person's name."""
        return facts.person.username

    def hint(self, facts: Facts) -> str:
        """None is needed."""
        return ""


@dataclass(frozen=True, slots=True)
class InDirectory:
    """The person comes from this directory."""

    directory: str

    def met(self, facts: Facts) -> bool:
        """Names of directories are compared exactly."""
        return facts.person.directory == self.directory

    def wanted(self) -> str:
        """In words."""
        return f"directory {self.directory}"

    def seen(self, facts: Facts) -> str:
        """The person's directory."""
        return f"directory {facts.person.directory}"

    def hint(self, facts: Facts) -> str:
        """None."""
        return ""


class NamedUser:
    """The person is one of these users."""

    def __init__(self, users: tuple[str, ...]) -> None:
        self.users = users
        self.keys = frozenset(map(name_key, users))

    def met(self, facts: Facts) -> bool:
        """Whatever the case."""
        return facts.user_key in self.keys

    def wanted(self) -> str:
        """In words."""
        return f"user {one_of(self.users)}"

    def seen(self, facts: Facts) -> str:
        """The person's user name."""
        return f"user {facts.person.username}"

    def hint(self, facts: Facts) -> str:
        """A user name of the rule that looks like this one."""
        return _resembling(facts.user_key, self.users, "user")


class InGroup:
    """The person is a member of one of these groups."""

    def __init__(self, groups: tuple[str, ...]) -> None:
        self.groups = groups
        self.keys = frozenset(map(name_key, groups))

    def met(self, facts: Facts) -> bool:
        """Whatever the case."""
        return not self.keys.isdisjoint(facts.group_keys)

    def wanted(self) -> str:
        """In words."""
        return f"group {one_of(self.groups)}"

    def seen(self, facts: Facts) -> str:
        """The person's groups."""
        return _groups_in_words(facts)

    def hint(self, facts: Facts) -> str:
        """A group of the rule that looks like one of the person's."""
        hints = (_resembling(key, self.groups, "group") for key in sorted(facts.group_keys))
        return next(filter(None, hints), "")


@dataclass(frozen=True, slots=True)
class HasAttribute:
    """One of the attribute's values is one of these, compared exactly."""

    name: str
    values: tuple[str, ...]

    def met(self, facts: Facts) -> bool:
        """Any value will do."""
        return not set(self.values).isdisjoint(facts.person.attributes.get(self.name, ()))

    def wanted(self) -> str:
        """In words."""
        return f"{self.name} = {one_of(self.values)}"

    def seen(self, facts: Facts) -> str:
        """The person's values."""
        values = facts.person.attributes.get(self.name, ())
        return f"{self.name} = {', '.join(values)}" if values else f"no attribute {self.name}"

    def hint(self, facts: Facts) -> str:
        """A value that differs in case or blanks only."""
        wanted = {name_key(value.strip()): value for value in self.values}
        for value in facts.person.attributes.get(self.name, ()):
            if (meant := wanted.get(name_key(value.strip()))) and meant != value:
                return f"{value!r} differs from {meant!r} only in case or blanks"
        return ""


@dataclass(frozen=True, slots=True)
class InGroupNamedLike:
    """The name of one of the person's groups matches the pattern."""

    pattern: GroupPattern

    def met(self, facts: Facts) -> bool:
        """As the directory writes the name, case and all."""
        return any(self.pattern.match(name) for name in facts.group_names)

    def wanted(self) -> str:
        """In words."""
        return f"a group like {self.pattern.text}"

    def seen(self, facts: Facts) -> str:
        """The person's groups."""
        return _groups_in_words(facts)

    def hint(self, facts: Facts) -> str:
        """None."""
        return ""


def conditions_of(rule: RoleRule) -> tuple[Condition, ...]:
    """The rule's conditions in the order in which they are explained. Raises BadPattern."""
    conditions: list[Condition] = []
    if rule.everyone:
        conditions.append(Everyone())
    if rule.directory:
        conditions.append(InDirectory(rule.directory))
    if rule.users:
        conditions.append(NamedUser(rule.users))
    if rule.groups:
        conditions.append(InGroup(rule.groups))
    conditions.extend(HasAttribute(name, values) for name, values in rule.attributes.items())
    if rule.group_pattern:
        conditions.append(InGroupNamedLike(GroupPattern.parse(rule.group_pattern)))
    return tuple(conditions)


def one_of(names: tuple[str, ...]) -> str:
    """Names as alternatives, shortened where there are many."""
    shown = names if len(names) <= 6 else (*names[:5], f"{len(names) - 5} others")
    return " or ".join(shown)


def _groups_in_words(facts: Facts) -> str:
    names = facts.group_names
    if not names:
        return "no groups"
    shown = names if len(names) <= 10 else (*names[:9], f"{len(names) - 9} others")
    return f"{'group' if len(names) == 1 else 'groups'} {', '.join(shown)}"


def _resembling(key: str, names: tuple[str, ...], kind: str) -> str:
    by_key = {name_key(name): name for name in names}
    close = get_close_matches(key, by_key, n=1, cutoff=0.8)
    return f"{kind} {key} looks like {by_key[close[0]]}" if close and close[0] != key else ""
