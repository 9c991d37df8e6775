"""What is remembered of an evaluation is never older than the rules or the person."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest

from idp.directory.person import Group, Person
from idp.entitlements import remembered
from idp.entitlements.account import Account
from idp.entitlements.evaluate import evaluate
from idp.entitlements.facts import Circumstances
from idp.entitlements.remembered import RememberedGrants
from idp.entitlements.rule import RoleRule
from idp.entitlements.ruleset import RuleSet

DEV = Account("111122223333", "dev", "aws", "ExampleIdP", None, None, None)
OPS = RoleRule("ops", groups=("ops",), roles=("Admin",), accounts=("dev",), tags={"T": "1"})
HERE = Circumstances(frozenset({"password"}), "10.0.0.1")
ANN = Person("local", "1", "ann", "Ann", groups=(Group("ops"),))


def test_the_same_question_is_answered_the_same() -> None:
    memory, rules = RememberedGrants(), RuleSet([OPS], [DEV])
    first = memory.of(rules, ANN, HERE)
    assert first == evaluate(rules, ANN, HERE)
    assert memory.of(rules, ANN, HERE) is first


def test_new_rules_and_a_changed_person_are_new_questions() -> None:
    memory, rules = RememberedGrants(), RuleSet([OPS], [DEV])
    assert memory.of(rules, ANN, HERE).grants
    assert not memory.of(RuleSet([], [DEV]), ANN, HERE).grants
    assert not memory.of(rules, replace(ANN, groups=()), HERE).grants
    assert memory.of(rules, ANN, HERE).grants


def test_it_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_HELD", 30)
    memory, rules = RememberedGrants(), RuleSet([OPS], [DEV])
    for number in range(100):
        assert memory.of(rules, replace(ANN, directory_id=str(number)), HERE).grants
    assert len(memory._answers) <= 11
    many = tuple(Group(f"group {number}") for number in range(100))
    for number in range(100):
        memory.of(rules, replace(ANN, directory_id=str(number), groups=many), HERE)
    assert len(memory._answers) <= 2


def test_a_person_who_is_read_anew_each_time_is_held_once() -> None:
    memory, rules = RememberedGrants(), RuleSet([OPS], [DEV])
    for number in range(100):
        assert memory.of(rules, replace(ANN, display_name=str(number)), HERE).grants
    assert len(memory._answers) == 1


def test_rules_that_are_no_longer_in_force_are_not_held() -> None:
    memory, rules = RememberedGrants(), RuleSet([OPS], [DEV])
    memory.of(rules, replace(ANN, directory_id="2"), HERE)
    gone = weakref.ref(rules)
    memory.of(RuleSet([OPS], [DEV]), ANN, HERE)
    del rules
    gc.collect()
    assert gone() is None


def test_people_of_two_directories_with_one_identifier_are_two() -> None:
    memory, rules = RememberedGrants(), RuleSet([OPS], [DEV])
    stranger = replace(ANN, directory="corp", groups=())
    for _ in range(2):
        assert memory.of(rules, ANN, HERE).grants
        assert not memory.of(rules, stranger, HERE).grants


def test_people_of_whom_very_much_is_said_are_not_kept() -> None:
    """What sessions do not keep either is a new object each time, and would never be met again."""
    memory, rules = RememberedGrants(), RuleSet([OPS], [DEV])
    groups = tuple(Group(f"group {n}", f"CN=group {n},OU=Groups,DC=corp") for n in range(1000))
    values = tuple(f"{n:04}" + "x" * 4000 for n in range(50))
    for huge in (
        replace(ANN, groups=(*ANN.groups, *groups)),
        replace(ANN, attributes={"description": values}),
    ):
        for _ in range(3):
            assert memory.of(rules, huge, HERE).grants
    assert not memory._answers


def test_longer_people_take_more_of_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_HELD", 40)
    memory, rules = RememberedGrants(), RuleSet([OPS], [DEV])
    long = replace(ANN, attributes={"description": ("x" * 9_000,)})
    for number in range(100):
        memory.of(rules, replace(long, directory_id=str(number)), HERE)
    assert len(memory._answers) <= 3


def test_other_circumstances_are_another_question() -> None:
    office = replace(OPS, networks=("10.0.0.0/8",))
    memory, rules = RememberedGrants(), RuleSet([office], [DEV])
    assert memory.of(rules, ANN, HERE).grants
    assert not memory.of(rules, ANN, replace(HERE, address="192.0.2.1")).grants
    assert memory.of(rules, ANN, HERE).grants
