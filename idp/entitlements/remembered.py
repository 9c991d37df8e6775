"""What people were lately found to be granted, so that a question is not worked out twice."""

from __future__ import annotations

from dataclasses import dataclass

from idp.directory.person import Person
from idp.entitlements.evaluate import Grants, evaluate
from idp.entitlements.facts import Circumstances
from idp.entitlements.ruleset import RuleSet

MOST_HELD = 10_000  # roles, groups and attributes of all people together
LONGEST_PERSON = 20_000  # characters of all that a directory says of somebody
_CHARACTERS = 500  # what many of them count like


@dataclass(frozen=True, slots=True)
class _Answer:
    ruleset: RuleSet
    person: Person
    circumstances: Circumstances
    grants: Grants
    size: int


class RememberedGrants:
    """Answers of `evaluate`, each for the very rules and the very person it was given for.

    Both are compared by identity: new rules are a new RuleSet, and a person whose directory says
    anything else is a new Person. So nothing here can outlive a change of either. Circumstances
    are compared by value; the last answer of a person is remembered. What is held of people is
    bounded: one of whom a directory says very much is worked out each time. Nothing is held of
    rules that are not in force any more.
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], _Answer] = {}
        self._ruleset: RuleSet | None = None
        self._held = 0

    def of(self, ruleset: RuleSet, person: Person, circumstances: Circumstances) -> Grants:
        """What `person` gets by these rules, coming as they do."""
        whose = person.directory, person.directory_id
        answer = self._answers.get(whose)
        if (
            answer
            and answer.person is person
            and answer.ruleset is ruleset
            and answer.circumstances == circumstances
        ):
            return answer.grants
        grants = evaluate(ruleset, person, circumstances)
        said = _characters(person)
        if said <= LONGEST_PERSON:
            size = _size(grants, person) + said // _CHARACTERS
            self._remember(whose, _Answer(ruleset, person, circumstances, grants, size))
        return grants

    def _remember(self, whose: tuple[str, str], answer: _Answer) -> None:
        if answer.ruleset is not self._ruleset or self._held >= MOST_HELD:
            self._answers.clear()
            self._ruleset = answer.ruleset
            self._held = 0
        former = self._answers.get(whose)
        self._held += answer.size - (former.size if former else 0)
        self._answers[whose] = answer


def _size(grants: Grants, person: Person) -> int:
    values = sum(map(len, person.attributes.values()))
    return 1 + len(grants.grants) + len(grants.problems) + len(person.groups) + values


def _characters(person: Person) -> int:
    groups = sum(len(each.name) + len(each.dn or "") for each in person.groups)
    return groups + sum(len(value) for values in person.attributes.values() for value in values)
