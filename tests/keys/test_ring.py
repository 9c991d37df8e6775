"""The ring: a newly active key soon, few questions, and no stalling when a custody fails."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
import tomli_w
from sqlalchemy import event

from idp.db.engine import Database
from idp.keys.custody import open_signer
from idp.keys.lifecycle import activate
from idp.keys.ring import LONGEST_UNSEEN_SECONDS, REFRESH_SECONDS, RETRY_SECONDS, KeyRing
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.saml.signature import Signer
from idp.settings import Settings
from tests.making import generate_key
from tests.servers.demonstration import ROOT


class Custody:
    """Opens keys as the real one does, unless it is told to fail or to hang."""

    def __init__(self) -> None:
        self.fails = False
        self.asked = 0
        self.goes_on = threading.Event()
        self.goes_on.set()

    def open(self, key: SigningKey, settings: Settings) -> Signer:
        self.asked += 1
        assert self.goes_on.wait(20)
        if self.fails:
            raise KeyUnusable("The token is away.", "Put it back.")
        return open_signer(key, settings)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {"data_folder": tmp_path / "data", "keys": {"folder": tmp_path / "certs"}}
    )


def make(database: Database, settings: Settings, now: datetime) -> SigningKey:
    with database.writing() as session:
        return generate_key(session, settings, now=now)


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT"):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


def test_sign_ins_ask_neither_the_database_nor_the_custody(
    database: Database, settings: Settings, now: datetime
) -> None:
    make(database, settings, now)
    custody, clock = Custody(), [100.0]
    ring = KeyRing(database, settings, lambda: clock[0], custody.open)
    ring.active()
    with counted(database) as seen:
        for _ in range(1000):
            ring.active()
        assert seen == []
        clock[0] += REFRESH_SECONDS
        for _ in range(1000):
            ring.active()
    assert len(seen) == 1
    assert custody.asked == 1


def test_a_custody_that_fails_is_told_at_once_and_the_old_key_never_signs_on(
    sqlite: Database, settings: Settings, now: datetime
) -> None:
    first, second = make(sqlite, settings, now), make(sqlite, settings, now)
    custody, clock = Custody(), [100.0]
    ring = KeyRing(sqlite, settings, lambda: clock[0], custody.open)
    assert ring.active().key.id == first.id
    custody.fails = True
    clock[0] += REFRESH_SECONDS
    assert ring.active().key.id == first.id, "what is open goes on without its custody"
    with sqlite.writing() as session:
        activate(session, second.id, now, "x")
    clock[0] += REFRESH_SECONDS
    asked = custody.asked
    for _ in range(50):
        with pytest.raises(KeyUnusable, match="token is away"):
            ring.active()
    assert custody.asked == asked + 1, "once in a while, not for each sign-in"
    clock[0] += RETRY_SECONDS
    with pytest.raises(KeyUnusable):
        ring.active()
    custody.fails = False
    clock[0] += RETRY_SECONDS
    assert ring.active().key.id == second.id


def test_while_one_thread_tries_a_failed_custody_again_the_others_are_told_at_once(
    sqlite: Database, settings: Settings, now: datetime
) -> None:
    make(sqlite, settings, now)
    custody, clock = Custody(), [100.0]
    ring = KeyRing(sqlite, settings, lambda: clock[0], custody.open)
    custody.fails = True
    with pytest.raises(KeyUnusable):
        ring.active()
    clock[0] += RETRY_SECONDS
    custody.goes_on.clear()
    custody.fails = False
    slow = threading.Thread(target=ring.active)
    slow.start()
    while custody.asked < 2:
        time.sleep(0.01)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(KeyUnusable, match="token is away"):
            ring.active()
    assert time.monotonic() - began < 0.5
    custody.goes_on.set()
    slow.join(20)
    ring.active()


def test_a_custody_that_hangs_holds_one_thread_and_no_other(
    sqlite: Database, settings: Settings, now: datetime
) -> None:
    first, second = make(sqlite, settings, now), make(sqlite, settings, now)
    custody, clock = Custody(), [100.0]
    ring = KeyRing(sqlite, settings, lambda: clock[0], custody.open)
    ring.active()
    with sqlite.writing() as session:
        activate(session, second.id, now, "x")
    custody.goes_on.clear()
    clock[0] += REFRESH_SECONDS
    found: list[str] = []
    slow = threading.Thread(target=lambda: found.append(ring.active().key.id))
    slow.start()
    while custody.asked < 2:
        time.sleep(0.01)
    began = time.monotonic()
    assert ring.active().key.id == first.id, "the others go on for a moment"
    assert time.monotonic() - began < 1
    clock[0] += LONGEST_UNSEEN_SECONDS
    with pytest.raises(KeyUnusable, match="slow to answer"):
        ring.active()
    assert time.monotonic() - began < 4
    custody.goes_on.set()
    slow.join(20)
    clock[0] += REFRESH_SECONDS
    assert (found, ring.active().key.id) == ([second.id], second.id)


@pytest.mark.xdist_group("heavy")
def test_every_process_signs_with_a_newly_active_key_within_five_seconds(
    database: Database, database_url: str, settings: Settings, tmp_path: Path, now: datetime
) -> None:
    file = tmp_path / "idp.toml"
    file.write_text(
        tomli_w.dumps(
            {
                "data_folder": str(settings.data_folder),
                "database": {"url": database_url},
                "keys": {"folder": str(settings.keys.folder)},
            }
        )
    )
    first, second = make(database, settings, now), make(database, settings, now)
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.keys.keyholder", str(file)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        outputs = [worker.stdout for worker in workers if worker.stdout is not None]
        assert [output.readline().strip() for output in outputs] == [first.id, first.id]
        with database.writing() as session:
            activate(session, second.id, now, "x")
        began = time.monotonic()
        assert [output.readline().strip() for output in outputs] == [second.id, second.id]
        assert time.monotonic() - began < 5
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
