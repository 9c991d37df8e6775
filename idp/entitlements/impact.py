"""Who gains and who loses what when one version of the rules follows another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from idp.aws.arn import RoleArn
from idp.aws.limits import check_session_name
from idp.directory.person import Person
from idp.entitlements.evaluate import GrantProblem, Grants, evaluate
from idp.entitlements.ruleset import RuleSet
from idp.entitlements.template import Template
from idp.errors import IdpError


@dataclass(frozen=True, slots=True)
class PersonImpact:
    """What a change means for one person.

    `altered` are roles kept with another duration, other tags or by another rule. `problems` are
    roles that the new rules withhold. `session_name` is a sentence if AWS would refuse the
    person's RoleSessionName, or if someone else has it; otherwise empty.
    """

    username: str
    gained: tuple[RoleArn, ...] = ()
    lost: tuple[RoleArn, ...] = ()
    altered: tuple[RoleArn, ...] = ()
    problems: tuple[GrantProblem, ...] = ()
    session_name: str = ""

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.gained or self.lost or self.altered or self.problems or self.session_name)


@dataclass(slots=True)
class ImpactTotals:
    """People counted while `impact` runs."""

    people: int = 0
    concerned: int = 0
    gaining: int = 0
    losing: int = 0
    altered: int = 0
    withheld: int = 0
    session_names: int = 0

    def count(self, person: PersonImpact) -> None:
        """Count one person."""
        self.people += 1
        self.concerned += not person.is_nothing
        self.gaining += bool(person.gained)
        self.losing += bool(person.lost)
        self.altered += bool(person.altered)
        self.withheld += bool(person.problems)
        self.session_names += bool(person.session_name)


@dataclass(slots=True)
class SessionNames:
    """The RoleSessionNames of everyone seen so far, to find two people with one name.

    AWS's logs tell people apart by it, so names that differ only in case count as one.
    """

    template: Template
    owners: dict[str, str] = field(default_factory=dict)

    def problem(self, person: Person) -> str:
        """What is wrong with this person's name, as a sentence; empty if nothing is."""
        try:
            name = self.template.render(person)
            check_session_name(name)
        except IdpError as problem:
            return str(problem)
        owner = self.owners.setdefault(name.casefold(), person.username)
        if owner == person.username:
            return ""
        return f"RoleSessionName {name!r} would be the same as that of {owner}."


def impact(
    before: RuleSet, after: RuleSet, people: Iterable[Person], session_names: SessionNames
) -> Iterator[PersonImpact]:
    """One PersonImpact for each person, also for those to whom nothing happens.

    RoleSessionNames are looked at for those who get a role by the new rules.
    """
    for person in people:
        new = evaluate(after, person)
        name = session_names.problem(person) if new.grants else ""
        yield _compare(person.username, evaluate(before, person), new, name)


def _compare(username: str, old: Grants, new: Grants, session_name: str) -> PersonImpact:
    if old == new:
        return PersonImpact(username, problems=new.problems, session_name=session_name)
    had = {grant.role: grant for grant in old.grants}
    has = {grant.role: grant for grant in new.grants}
    return PersonImpact(
        username,
        gained=tuple(role for role in has if role not in had),
        lost=tuple(role for role in had if role not in has),
        altered=tuple(role for role in has if role in had and has[role] != had[role]),
        problems=new.problems,
        session_name=session_name,
    )
