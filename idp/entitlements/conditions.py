"""The conditions of a rule: each says whether a person meets it, what it wants and what it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from idp.entitlements.circumstance_conditions import FromNetwork, ProvedBy
from idp.entitlements.condition_words import one_of, resembling
from idp.entitlements.facts import Facts
from idp.entitlements.group_conditions import (
    GroupBases,
    InGroup,
    InGroupNamedLike,
    InGroupOfDn,
    InGroupOfSid,
)
from idp.entitlements.names import loose_key, name_key
from idp.entitlements.pattern import GroupPattern
from idp.entitlements.rule import RoleRule


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
        return resembling(facts.user_key, self.users, "user")


class HasAttribute:
    """One of the attribute's values is one of these: exactly; in any spelling, if a rule denies."""

    def __init__(self, name: str, values: tuple[str, ...], *, denies: bool) -> None:
        self.name = name
        self.values = values
        self.key = loose_key if denies else str
        self.keys = frozenset(map(self.key, values))

    def met(self, facts: Facts) -> bool:
        """Any value will do."""
        return not self.keys.isdisjoint(map(self.key, facts.person.attributes.get(self.name, ())))

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
class HasRoleAttribute:
    """The person has a value of the attribute that names roles."""

    name: str

    def met(self, facts: Facts) -> bool:
        """Any value will do; what it names is looked at later."""
        return bool(facts.person.attributes.get(self.name))

    def wanted(self) -> str:
        """In words."""
        return f"the attribute {self.name}, which names roles"

    def seen(self, facts: Facts) -> str:
        """The names of the person's attributes."""
        return f"attributes {', '.join(sorted(facts.person.attributes)) or 'of no kind'}"

    def hint(self, facts: Facts) -> str:
        """An attribute whose name looks like it."""
        hints = (resembling(name, (self.name,), "attribute") for name in facts.person.attributes)
        return next(filter(None, hints), "")


def conditions_of(rule: RoleRule) -> tuple[Condition, ...]:
    """The rule's conditions in the order in which they are explained.

    What can't be known in a rule that denies counts as met, and so does what is only spelled
    in another way. Raises BadPattern, BadDn, BadNetwork.
    """
    denies = rule.effect == "deny"
    bases = GroupBases.parse(rule.group_base, doubt_counts=denies)
    conditions: list[Condition] = []
    if rule.everyone:
        conditions.append(Everyone())
    if rule.directory:
        conditions.append(InDirectory(rule.directory))
    if rule.users:
        conditions.append(NamedUser(rule.users))
    if rule.groups:
        conditions.append(InGroup(rule.groups, bases, denies=denies))
    if rule.group_dns:
        conditions.append(InGroupOfDn(rule.group_dns, denies=denies))
    if rule.group_sids:
        conditions.append(InGroupOfSid(rule.group_sids))
    for name, values in rule.attributes.items():
        conditions.append(HasAttribute(name, values, denies=denies))
    if rule.group_pattern:
        conditions.append(
            InGroupNamedLike(GroupPattern.parse(rule.group_pattern, any_case=denies), bases)
        )
    if rule.role_attribute:
        conditions.append(HasRoleAttribute(rule.role_attribute))
    if rule.factors:
        conditions.append(ProvedBy(rule.factors, doubt_counts=denies))
    if rule.networks:
        conditions.append(FromNetwork(rule.networks, doubt_counts=denies))
    return tuple(conditions)
