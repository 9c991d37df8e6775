"""What people were lately found to be granted, so that a question is not worked out twice."""

from __future__ import annotations

from dataclasses import dataclass

from idp.directory.person import Person
from idp.entitlements.evaluate import Grants, evaluate
from idp.entitlements.facts import Circumstances
from idp.entitlements.ruleset import RuleSet

MOST_ROLES = 4_000  # of all people together
LONGEST_PERSON = 20_000  # characters of all that a directory says of somebody
_CHARACTERS_OF_A_ROLE = 500  # what a longer person costs of the room for roles


@dataclass(frozen=True, slots=True)
class _Answer:
    ruleset: RuleSet
    person: Person
    circumstances: Circumstances
    grants: Grants


class RememberedGrants:
    """Answers of `evaluate`, each for the very rules and the very person it was given for.

    Both are compared by identity: new rules are a new RuleSet, and a person whose directory says
    anything else is a new Person. So nothing here can outlive a change of either. Circumstances
    are compared by value; the last ones of a person are remembered. A person of whom a directory
    says very much is worked out each time, so that the memory this takes is bounded.
    """

    def __init__(self) -> None:
        self._answers: dict[int, _Answer] = {}
        self._roles = 0

    def of(self, ruleset: RuleSet, person: Person, circumstances: Circumstances) -> Grants:
        """What `person` gets by these rules, coming as they do."""
        answer = self._answers.get(id(person))
        if (
            answer
            and answer.person is person
            and answer.ruleset is ruleset
            and answer.circumstances == circumstances
        ):
            return answer.grants
        grants = evaluate(ruleset, person, circumstances)
        size = _size(person)
        if size > LONGEST_PERSON:
            return grants
        if self._roles >= MOST_ROLES:
            self._answers.clear()
            self._roles = 0
        self._roles += 1 + len(grants.grants) + len(grants.problems) + size // _CHARACTERS_OF_A_ROLE
        self._answers[id(person)] = _Answer(ruleset, person, circumstances, grants)
        return grants


def _size(person: Person) -> int:
    groups = sum(len(each.name) + len(each.dn or "") for each in person.groups)
    return groups + sum(len(v) for values in person.attributes.values() for v in values)
