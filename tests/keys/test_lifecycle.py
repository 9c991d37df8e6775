"""From state to state, one active key at any time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.keys.lifecycle import (
    ALLOWED,
    KeyNotFound,
    KeyStepRefused,
    activate,
    find_key,
    retire,
    revoke,
    revoke_and_replace,
)
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.steps import steps_of
from idp.keys.store import MOST_PUBLISHED, all_keys
from tests.keys.rows import add_row
from tests.servers.demonstration import ROOT

Make = Callable[[], SigningKey]


@pytest.fixture
def make(database: Database, now: datetime) -> Make:
    """Adds a key in a transaction of its own."""

    def add() -> SigningKey:
        with database.writing() as session:
            return add_row(session, now)

    return add


def states(database: Database) -> dict[str, KeyState]:
    with database.reading() as session:
        return {key.id: key.state for key in all_keys(session)}


def test_a_key_goes_from_next_to_retired_and_every_moment_is_kept(
    database: Database, now: datetime, make: Make
) -> None:
    first, second = make(), make()
    hours = [now + timedelta(hours=count) for count in range(4)]
    with database.writing() as session:
        after = activate(session, second.id, hours[1], "cli/bob")
        assert after.state is KeyState.ACTIVE
    assert states(database) == {first.id: KeyState.RETIRING, second.id: KeyState.ACTIVE}
    with database.writing() as session:
        retire(session, first.id, hours[2], "cli/bob")
    with database.writing() as session:
        revoke(session, first.id, hours[3], "cli/eve", "was on a lost disk")
    with database.reading() as session:
        key = find_key(session, first.id)
        steps = [(step.step, step.at, step.actor, step.note) for step in steps_of(session, key.id)]
        assert [step.step for step in steps_of(session, second.id)] == ["generated", "activated"]
    assert (key.activated_at, key.retiring_at) == (now, hours[1])
    assert (key.retired_at, key.revoked_at) == (hours[2], hours[3])
    assert (key.created_by, key.revoked_reason) == ("cli/ann", "was on a lost disk")
    assert steps == [
        ("generated", now, "cli/ann", ""),
        ("activated", now, "cli/ann", ""),
        ("retiring", hours[1], "cli/bob", f"replaced by {second.id}"),
        ("retired", hours[2], "cli/bob", ""),
        ("revoked", hours[3], "cli/eve", "was on a lost disk"),
    ]


def in_state(database: Database, state: KeyState, make: Make, now: datetime) -> SigningKey:
    """A key in `state`, with another one active, unless it is the active one."""
    first, key = make(), make()
    with database.writing() as session:
        if state is KeyState.ACTIVE:
            return activate(session, key.id, now, "x")
        if state is KeyState.RETIRING:
            activate(session, key.id, now, "x")
            third = add_row(session, now)
            activate(session, third.id, now, "x")
        if state is KeyState.RETIRED:
            retire(session, key.id, now, "x")
        if state is KeyState.REVOKED:
            revoke(session, key.id, now, "x", "")
    assert states(database)[key.id] is state
    assert first.state is KeyState.ACTIVE
    return key


@pytest.mark.parametrize("wanted", [KeyState.ACTIVE, KeyState.RETIRED, KeyState.REVOKED])
@pytest.mark.parametrize("state", list(KeyState))
def test_only_the_allowed_steps_are_made(
    sqlite: Database, now: datetime, state: KeyState, wanted: KeyState
) -> None:
    def make() -> SigningKey:
        with sqlite.writing() as session:
            return add_row(session, now)

    key = in_state(sqlite, state, make, now)
    before = states(sqlite)

    def step(session: Session) -> SigningKey:
        if wanted is KeyState.REVOKED:
            return revoke(session, key.id, now, "x", "why")
        return {KeyState.ACTIVE: activate, KeyState.RETIRED: retire}[wanted](
            session, key.id, now, "x"
        )

    fine = wanted in ALLOWED[state] and (state, wanted) != (KeyState.ACTIVE, KeyState.REVOKED)
    if fine:
        with sqlite.writing() as session:
            assert step(session).state is wanted
    else:
        with pytest.raises(KeyStepRefused) as refusal, sqlite.writing() as session:
            step(session)
        assert refusal.value.message.endswith(".")
        assert states(sqlite) == before
    assert list(states(sqlite).values()).count(KeyState.ACTIVE) == 1


def test_the_active_key_is_revoked_only_with_another_in_its_place(
    database: Database, now: datetime, make: Make
) -> None:
    first, second = make(), make()
    with pytest.raises(KeyStepRefused, match="nobody could sign in"), database.writing() as session:
        revoke(session, first.id, now, "x", "stolen")
    with pytest.raises(KeyStepRefused, match="not active"), database.writing() as session:
        revoke_and_replace(session, second.id, first.id, now, "x", "stolen")
    with database.writing() as session:
        revoke_and_replace(session, first.id, second.id, now, "x", "stolen")
    assert states(database) == {first.id: KeyState.REVOKED, second.id: KeyState.ACTIVE}
    with pytest.raises(KeyStepRefused, match="can't become active"), database.writing() as session:
        revoke_and_replace(session, second.id, first.id, now, "x", "stolen")
    assert states(database) == {first.id: KeyState.REVOKED, second.id: KeyState.ACTIVE}


def test_a_key_is_found_by_the_beginning_of_its_identifier_or_fingerprint(
    sqlite: Database, now: datetime
) -> None:
    with sqlite.writing() as session:
        key, other = add_row(session, now), add_row(session, now)
        pairs = ":".join(key.fingerprint[at : at + 2] for at in range(0, 64, 2))
        for text in (key.id, key.id[:12], key.fingerprint, f" {pairs[:30].upper()} "):
            assert find_key(session, text).id == key.id
        for text in ("", " ", "zz", key.id + "0", "%", ":"):
            with pytest.raises(KeyNotFound, match="There is no key"):
                find_key(session, text)
        taken = {key.id[0], other.id[0], key.fingerprint[0], other.fingerprint[0]}
        for letter in taken:
            hits = {
                each.id
                for each in (key, other)
                if each.id.startswith(letter) or each.fingerprint.startswith(letter)
            }
            if len(hits) == 2:
                with pytest.raises(KeyNotFound, match="is the beginning of 2 keys"):
                    find_key(session, letter)


def test_an_eleventh_published_key_is_refused(sqlite: Database, now: datetime) -> None:
    with sqlite.writing() as session:
        keys = [add_row(session, now) for _ in range(MOST_PUBLISHED)]
    with pytest.raises(KeyStepRefused, match="IAM takes 10 at most"), sqlite.writing() as session:
        add_row(session, now)
    with sqlite.writing() as session:
        retire(session, keys[-1].id, now, "x")
        add_row(session, now)


def test_a_caller_that_saw_another_active_key_is_refused(
    database: Database, now: datetime, make: Make
) -> None:
    first, second, third = make(), make(), make()
    with database.writing() as session:
        activate(session, second.id, now, "x", replacing=first.id)
    with pytest.raises(KeyStepRefused, match="at the same moment"), database.writing() as session:
        activate(session, third.id, now, "x", replacing=first.id)
    assert states(database)[second.id] is KeyState.ACTIVE


def test_two_processes_that_activate_at_once_leave_one_active_key(
    database: Database, database_url: str, now: datetime, make: Make
) -> None:
    first, second, third = make(), make(), make()
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.keys.activator", database_url, key.id, first.id],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for key in (second, third)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = sorted(process.communicate(timeout=30)[0].strip() for process in processes)
    assert said[1] == "done"
    assert said[0].startswith("KeyStepRefused: Somebody else changed the keys")
    found = states(database)
    assert sorted(found.values()) == [KeyState.ACTIVE, KeyState.NEXT, KeyState.RETIRING]
    assert found[first.id] is KeyState.RETIRING
