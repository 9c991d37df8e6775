"""What is remembered of an evaluation is never older than the rules or the person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.directory.person import Group, Person
from idp.entitlements import remembered
from idp.entitlements.account import Account
from idp.entitlements.evaluate import evaluate
from idp.entitlements.remembered import RememberedGrants
from idp.entitlements.rule import RoleRule
from idp.entitlements.ruleset import RuleSet

DEV = Account("111122223333", "dev", "aws", "ExampleIdP", None, None, None)
OPS = RoleRule("ops", groups=("ops",), roles=("Admin",), accounts=("dev",), tags={"T": "1"})
ANN = Person("local", "1", "ann", "Ann", groups=(Group("ops"),))


def test_the_same_question_is_answered_the_same() -> None:
    memory, rules = RememberedGrants(), RuleSet([OPS], [DEV])
    first = memory.of(rules, ANN)
    assert first == evaluate(rules, ANN)
    assert memory.of(rules, ANN) is first


def test_new_rules_and_a_changed_person_are_new_questions() -> None:
    memory, rules = RememberedGrants(), RuleSet([OPS], [DEV])
    assert memory.of(rules, ANN).grants
    assert not memory.of(RuleSet([], [DEV]), ANN).grants
    assert not memory.of(rules, replace(ANN, groups=())).grants
    assert memory.of(rules, ANN).grants


def test_it_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_ROLES", 20)
    memory, rules = RememberedGrants(), RuleSet([OPS], [DEV])
    for number in range(100):
        assert memory.of(rules, replace(ANN, directory_id=str(number))).grants
    assert len(memory._answers) <= 11
