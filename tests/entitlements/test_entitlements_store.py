"""Rules and accounts in the database, and the compiled copy of each process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import event, insert
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.db.models import RoleRuleRow
from idp.directory.person import Group, Person
from idp.entitlements.account import Account
from idp.entitlements.document import BadRule
from idp.entitlements.evaluate import evaluate
from idp.entitlements.rule import RoleRule
from idp.entitlements.ruleset import RuleSet
from idp.entitlements.store import (
    ChangedMeanwhile,
    Entitlements,
    apply_planned,
    apply_rules,
    delete_account,
    revision,
    save_account,
    stored_accounts,
    stored_rules,
)

DEV = Account("111122223333", "dev", "aws", "ExampleIdP", "SAMLSPABC", None, None)
ANN = Person("local", "1", "ann", "Ann", groups=(Group("ops"),))
RULES = (
    RoleRule(
        "ops",
        groups=("ops",),
        attributes={},
        roles=("Admin",),
        accounts=("dev",),
        duration=900,
        tags={"Team": "ops", "Name": "{username}"},
        transitive=("Team",),
    ),
    RoleRule("all", everyone=True, roles=("ReadOnly",), accounts=("dev",)),
)


def role_names(entitlements: Entitlements, database: Database) -> list[str]:
    with database.reading() as session:
        found = evaluate(entitlements.ruleset(session), ANN)
    return [grant.role.name for grant in found.grants]


def prepare(database: Database) -> None:
    with database.writing() as session:
        save_account(session, DEV)
        apply_rules(session, RULES)


def test_stores_rules_in_their_order_and_accounts_whole(database: Database) -> None:
    prepare(database)
    with database.reading() as session:
        assert stored_rules(session) == RULES
        assert list(stored_accounts(session)) == [DEV]


def test_every_change_counts_the_revision_up(database: Database) -> None:
    changes: tuple[Callable[[Session], None], ...] = (
        lambda session: save_account(session, DEV),
        lambda session: apply_rules(session, RULES),
        lambda session: apply_rules(session, ()),
        lambda session: delete_account(session, DEV.number),
    )
    numbers = []
    for change in changes:
        with database.writing() as session:
            change(session)
        with database.reading() as session:
            numbers.append(revision(session))
    assert numbers == [1, 2, 3, 4]


def test_a_compiled_copy_is_used_until_rules_or_accounts_change(database: Database) -> None:
    prepare(database)
    entitlements, other_process = Entitlements(database), Entitlements(database)
    assert role_names(entitlements, database) == ["Admin", "ReadOnly"]
    assert entitlements.current() is entitlements.current()
    with database.writing() as session:
        apply_rules(session, RULES[1:])
    assert role_names(entitlements, database) == ["ReadOnly"]
    assert role_names(other_process, database) == ["ReadOnly"]
    with database.writing() as session:
        delete_account(session, DEV.number)
    assert role_names(entitlements, database) == []


def test_an_unchanged_copy_costs_one_query_and_none_if_the_revision_is_known(
    sqlite: Database,
) -> None:
    asked: list[str] = []
    event.listen(sqlite.engine, "connect", lambda made, _: made.set_trace_callback(asked.append))
    prepare(sqlite)
    entitlements = Entitlements(sqlite)
    entitlements.current()
    entitlements.current()
    asked.clear()
    entitlements.current()
    assert len(asked) == 1
    assert "revisions" in asked[0]
    with sqlite.reading() as session:
        seen = revision(session)
    asked.clear()
    entitlements.current(seen)
    assert asked == []


def test_a_revision_that_was_seen_brings_the_new_rules(database: Database) -> None:
    prepare(database)
    entitlements = Entitlements(database)
    before = entitlements.current()
    with database.writing() as session:
        apply_rules(session, RULES[:1])
    with database.reading() as session:
        seen = revision(session)
    after = entitlements.current(seen)
    assert (len(before.rules), len(after.rules)) == (2, 1)


def test_threads_that_ask_at_once_get_one_copy(sqlite: Database) -> None:
    prepare(sqlite)
    entitlements = Entitlements(sqlite)
    together = Barrier(6)

    def ask(_number: int) -> RuleSet:
        together.wait()
        return entitlements.current()

    with ThreadPoolExecutor(6) as threads:
        copies = list(threads.map(ask, range(6)))
    assert len({id(copy) for copy in copies}) == 1


def test_a_change_that_is_rolled_back_changes_nothing(database: Database) -> None:
    prepare(database)
    entitlements = Entitlements(database)
    before = entitlements.current()
    with database.writing() as session:
        apply_rules(session, ())
        session.rollback()
    assert entitlements.current() is before


def test_refuses_a_plan_that_others_have_overtaken(database: Database) -> None:
    prepare(database)
    with database.reading() as session:
        planned_at = revision(session)
    with database.writing() as session:
        apply_rules(session, RULES[:1])
    with pytest.raises(ChangedMeanwhile), database.writing() as session:
        apply_planned(session, (), planned_at)
    with database.reading() as session:
        assert stored_rules(session) == RULES[:1]


def test_grants_nothing_at_all_when_a_stored_rule_can_not_be_read(database: Database) -> None:
    prepare(database)
    with database.writing() as session:
        apply_rules(session, RULES)
        document = {"name": "deny", "effect": "deny", "weekday": "sunday", "everyone": True}
        session.execute(insert(RoleRuleRow).values(name="deny", position=9, document=document))
    with pytest.raises(BadRule, match="weekday") as refusal:
        Entitlements(database).current()
    assert refusal.value.status == 503


def test_ten_thousand_rules_go_in_and_come_out(sqlite: Database) -> None:
    many = tuple(
        RoleRule(f"rule-{number}", groups=(f"g{number}",), roles=("A",), accounts=("dev",))
        for number in range(10_000)
    )
    with sqlite.writing() as session:
        apply_rules(session, many)
    with sqlite.reading() as session:
        assert stored_rules(session) == many
