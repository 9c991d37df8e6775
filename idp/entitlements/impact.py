"""Who gains and who loses what when one version of the rules follows another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from idp.aws.arn import RoleArn
from idp.directory.person import Person
from idp.entitlements.evaluate import GrantProblem, Grants, evaluate_rules
from idp.entitlements.facts import UNKNOWN, Circumstances, Facts
from idp.entitlements.ruleset import RuleSet
from idp.entitlements.session_names import NamesInAws


@dataclass(frozen=True, slots=True)
class PersonImpact:
    """What a change means for one person.

    `altered` are roles kept with another duration, other tags or by another rule. `problems` are
    roles that the new rules withhold, `unusable` sentences about values of a role attribute that
    give nothing. `session_name` and `source_identity` are sentences if AWS would refuse that name,
    or if someone else has it; otherwise empty.
    """

    username: str
    gained: tuple[RoleArn, ...] = ()
    lost: tuple[RoleArn, ...] = ()
    altered: tuple[RoleArn, ...] = ()
    problems: tuple[GrantProblem, ...] = ()
    session_name: str = ""
    source_identity: str = ""
    unusable: tuple[str, ...] = ()
    directory: str = ""

    @property
    def changes(self) -> bool:
        """Whether a role comes, goes or becomes another."""
        return bool(self.gained or self.lost or self.altered)

    @property
    def is_wrong(self) -> bool:
        """Whether there is something that AWS would refuse, or could not tell apart."""
        return bool(self.problems or self.session_name or self.source_identity or self.unusable)

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.changes or self.is_wrong)


@dataclass(slots=True)
class ImpactTotals:
    """People counted while `impact` runs."""

    people: int = 0
    concerned: int = 0
    wrong: int = 0
    gaining: int = 0
    losing: int = 0
    altered: int = 0
    withheld: int = 0
    session_names: int = 0
    source_identities: int = 0
    unusable: int = 0

    def count(self, person: PersonImpact) -> None:
        """Count one person."""
        self.people += 1
        self.concerned += not person.is_nothing
        self.wrong += person.is_wrong
        self.gaining += bool(person.gained)
        self.losing += bool(person.lost)
        self.altered += bool(person.altered)
        self.withheld += bool(person.problems)
        self.session_names += bool(person.session_name)
        self.source_identities += bool(person.source_identity)
        self.unusable += bool(person.unusable)


def impact(
    before: RuleSet,
    after: RuleSet,
    people: Iterable[Person],
    names: NamesInAws,
    circumstances: Circumstances = UNKNOWN,
) -> Iterator[PersonImpact]:
    """One PersonImpact for each person, also for those to whom nothing happens.

    Names are looked at for those who get a role by the new rules.
    """
    touched = _touched(before, after)
    for person in people:
        facts = Facts.of(person, circumstances)
        new = evaluate_rules(after.candidates(facts), facts)
        # Most people are concerned by no rule that changes.
        same = touched is not None and not touched.candidates(facts)
        old = new if same else evaluate_rules(before.candidates(facts), facts)
        session_name, source_identity = names.problems(person, new)
        yield PersonImpact(
            person.username,
            *_changes(old, new),
            problems=new.problems,
            session_name=session_name,
            source_identity=source_identity,
            unusable=new.unusable,
            directory=person.directory,
        )


def _touched(before: RuleSet, after: RuleSet) -> RuleSet | None:
    """The rules that only one version has in that form; None if more than those has changed."""
    old = {compiled.rule.name: compiled.rule for compiled in before.rules}
    new = {compiled.rule.name: compiled.rule for compiled in after.rules}
    kept = [name for name, rule in new.items() if old.get(name) == rule]
    if before.accounts is not after.accounts or kept != [
        name for name, rule in old.items() if new.get(name) == rule
    ]:
        return None
    unchanged = frozenset(kept)
    changed = [
        rule for rules in (old, new) for name, rule in rules.items() if name not in unchanged
    ]
    return RuleSet(changed, after.accounts)


_Roles = tuple[RoleArn, ...]


def _changes(old: Grants, new: Grants) -> tuple[_Roles, _Roles, _Roles]:
    """Roles gained, lost, and kept in another way."""
    if old == new:
        return (), (), ()
    had = {grant.role: grant for grant in old.grants}
    has = {grant.role: grant for grant in new.grants}
    return (
        tuple(role for role in has if role not in had),
        tuple(role for role in had if role not in has),
        tuple(role for role in has if role in had and has[role] != had[role]),
    )
