"""What people were lately found to be granted, so that a question is not worked out twice."""

from __future__ import annotations

from dataclasses import dataclass

from idp.directory.person import Person
from idp.entitlements.evaluate import Grants, evaluate
from idp.entitlements.facts import Circumstances
from idp.entitlements.ruleset import RuleSet

MOST_ROLES = 4_000  # of all people together


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
    are compared by value; the last ones of a person are remembered.
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
        if self._roles >= MOST_ROLES:
            self._answers.clear()
            self._roles = 0
        self._roles += 1 + len(grants.grants) + len(grants.problems)
        self._answers[id(person)] = _Answer(ruleset, person, circumstances, grants)
        return grants
