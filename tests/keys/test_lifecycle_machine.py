"""Any sequence of lifecycle commands, each of which may be broken off, against the invariants."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.keys.lifecycle import (
    ALLOWED,
    KeyStepRefused,
    activate,
    retire,
    revoke,
    revoke_and_replace,
)
from idp.keys.signing_key import KeyState
from idp.keys.steps import steps_of
from idp.keys.store import MOST_PUBLISHED, all_keys, published_keys
from tests.keys.rows import add_row

BEGINNING = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ACTIVE, NEXT, RETIRING = KeyState.ACTIVE, KeyState.NEXT, KeyState.RETIRING
BROKEN_OFF = st.sampled_from([False, False, False, True])


class BrokenOff(Exception):
    """The process ends before the commit."""


class Lifecycle(RuleBasedStateMachine):
    """`model` is what the states should be; every rule says which step should be refused."""

    template: Path
    keys: Bundle[str] = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "x.sqlite3")
        self.database = Database(f"sqlite:///{self.folder / 'x.sqlite3'}")
        self.now = BEGINNING
        self.model: dict[str, KeyState] = {}
        self.steps: dict[str, int] = {}

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    @initialize(target=keys)
    def first_key(self) -> str:
        made = self.generate(False)
        assert isinstance(made, str)
        return made

    @rule(target=keys, broken_off=BROKEN_OFF)
    def generate(self, broken_off: bool) -> Any:
        made: list[str] = []
        published = sum(state.published for state in self.model.values())
        has_active = ACTIVE in self.model.values()

        def step(session: Session) -> None:
            made.append(add_row(session, self.now).id)

        if not self._done(step, allowed=published < MOST_PUBLISHED, broken_off=broken_off):
            return multiple()
        self.model[made[0]] = NEXT if has_active else ACTIVE
        self.steps[made[0]] = 1 if has_active else 2
        return made[0]

    @rule(key=keys, seen=st.none() | keys, broken_off=BROKEN_OFF)
    def activate(self, key: str, seen: str | None, broken_off: bool) -> None:
        allowed = ACTIVE in ALLOWED[self.model[key]]
        allowed = allowed and (seen is None or self.model[seen] is ACTIVE)
        if self._done(
            lambda session: activate(session, key, self.now, "x", replacing=seen),
            allowed=allowed,
            broken_off=broken_off,
        ):
            self._move(self._active(), RETIRING)
            self._move(key, ACTIVE)

    @rule(key=keys, broken_off=BROKEN_OFF)
    def retire(self, key: str, broken_off: bool) -> None:
        if self._done(
            lambda session: retire(session, key, self.now, "x"),
            allowed=KeyState.RETIRED in ALLOWED[self.model[key]],
            broken_off=broken_off,
        ):
            self._move(key, KeyState.RETIRED)

    @rule(key=keys, broken_off=BROKEN_OFF)
    def revoke(self, key: str, broken_off: bool) -> None:
        if self._done(
            lambda session: revoke(session, key, self.now, "x", "why"),
            allowed=self.model[key] not in (ACTIVE, KeyState.REVOKED),
            broken_off=broken_off,
        ):
            self._move(key, KeyState.REVOKED)

    @rule(key=keys, successor=keys, broken_off=BROKEN_OFF)
    def revoke_and_replace(self, key: str, successor: str, broken_off: bool) -> None:
        if self._done(
            lambda session: revoke_and_replace(session, key, successor, self.now, "x", "why"),
            allowed=self.model[key] is ACTIVE and self.model[successor] is NEXT,
            broken_off=broken_off,
        ):
            self._move(key, KeyState.REVOKED)
            self._move(successor, ACTIVE)

    def _done(self, step: Callable[[Session], object], *, allowed: bool, broken_off: bool) -> bool:
        self.now += timedelta(hours=1)
        try:
            with self.database.writing() as session:
                step(session)
                if broken_off:
                    raise BrokenOff
        except KeyStepRefused:
            assert not allowed
            return False
        except BrokenOff:
            assert allowed
            return False
        assert allowed
        return True

    def _active(self) -> str:
        return next(key for key, state in self.model.items() if state is ACTIVE)

    def _move(self, key: str, state: KeyState) -> None:
        self.model[key] = state
        self.steps[key] += 1

    @invariant()
    def one_key_is_active_and_nothing_is_lost(self) -> None:
        if not self.model:
            return
        with self.database.reading() as session:
            keys = {key.id: key for key in all_keys(session)}
            steps = {key: len(steps_of(session, key)) for key in keys}
            published = [key.id for key in published_keys(session)]
        assert {key: found.state for key, found in keys.items()} == self.model
        assert steps == self.steps
        assert list(self.model.values()).count(ACTIVE) == 1
        assert published[0] == self._active()
        for key in keys.values():
            assert (key.revoked_at is None) == (key.state is not KeyState.REVOKED)
            assert key.state is not ACTIVE or key.activated_at is not None
            assert key.state is not RETIRING or key.retiring_at is not None

    @invariant()
    def the_database_itself_refuses_a_second_active_key(self) -> None:
        with self.database.reading() as session:
            active = session.execute(
                text("SELECT count(*) FROM signing_keys WHERE state = 'active'")
            ).scalar_one()
        assert active == (1 if self.model else 0)


def test_no_sequence_of_commands_breaks_the_lifecycle(sqlite_url: str) -> None:
    Lifecycle.template = Path(sqlite_url.removeprefix("sqlite:///"))
    run_state_machine_as_test(
        Lifecycle,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("state", list(KeyState))
def test_every_state_says_where_it_leads(state: KeyState) -> None:
    assert state not in ALLOWED[state]
    assert state is KeyState.REVOKED or KeyState.REVOKED in ALLOWED[state]
