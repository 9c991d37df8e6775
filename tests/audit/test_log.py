"""The audit chain holds what happened, in order, whoever writes."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from idp.audit.admin_events import UserAdded
from idp.audit.chain import GENESIS, ChainWithoutHead
from idp.audit.events import SignInRefused
from idp.audit.log import AuditLog, Origin
from idp.audit.verify import verify
from idp.db.engine import Database
from idp.db.models import AuditEventRow, AuditHeadRow, SecretRow, canonical_time

HERE = Origin("192.0.2.1", "request-1")


def rows(database: Database) -> list[AuditEventRow]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEventRow).order_by(AuditEventRow.seq)))


def row_hash(row: AuditEventRow) -> str:
    """The hash as the documentation describes it, made without the code that makes it."""
    columns = [
        row.previous_hash,
        row.seq,
        canonical_time(row.at),
        row.type,
        row.actor,
        row.address,
        row.request_id,
        row.assertion_id,
        row.detail,
    ]
    return hashlib.sha256(json.dumps(columns, separators=(",", ":")).encode()).hexdigest()


def test_each_row_seals_itself_and_the_one_before(database: Database) -> None:
    log = AuditLog(database)
    for reason in ("wrong_password", "disabled", "throttled"):
        log.record(SignInRefused(actor="local/ann", reason=reason), HERE)
    found = rows(database)
    assert [row.seq for row in found] == [1, 2, 3]
    assert [row.previous_hash for row in found] == [GENESIS, found[0].hash, found[1].hash]
    assert all(row_hash(row) == row.hash for row in found)
    with database.reading() as session:
        head = session.get(AuditHeadRow, 1)
        assert head is not None
        assert (head.seq, head.hash) == (3, found[2].hash)


def test_many_writers_make_one_chain(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]

    def write(number: int) -> None:
        event = SignInRefused(actor=f"local/{number}", reason="wrong_password")
        AuditLog(databases[number % 4]).record(event, HERE)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(80)))
    found = rows(databases[0])
    assert [row.seq for row in found] == list(range(1, 81))
    assert {row.actor for row in found} == {f"local/{number}" for number in range(80)}
    for before, after in itertools.pairwise(found):
        assert after.previous_hash == before.hash
    for database in databases:
        database.close()


def test_an_event_and_what_it_tells_of_are_one_transaction(database: Database) -> None:
    log = AuditLog(database)
    event = UserAdded(actor="cli/root", subject="ann", changes={})

    def act() -> None:
        with database.writing() as session:
            log.append(session, event, HERE)
            raise RuntimeError("the change itself failed")

    with pytest.raises(RuntimeError):
        act()
    assert rows(database) == []


@pytest.mark.parametrize("actor", ["local/\x00\x1b[31m", "local/" + "x" * 1000, "local/\ud800"])
def test_hostile_names_are_stored_readably(database: Database, actor: str) -> None:
    log = AuditLog(database)
    log.record(SignInRefused(actor=actor, reason="malformed\x00\ud800"), HERE)
    (row,) = rows(database)
    assert row.actor.isprintable()
    assert len(row.actor) <= 400
    assert row_hash(row) == row.hash
    assert json.loads(row.detail)["reason"] == "malformed\x00\ud800"


def test_an_address_longer_than_its_column_is_cut_not_refused(database: Database) -> None:
    """Behind a careless proxy it is the visitor's own text."""
    AuditLog(database).record(
        SignInRefused(actor="local/ann", reason="disabled"), Origin("\x1b" + "9" * 500, "r" * 500)
    )
    (row,) = rows(database)
    assert row.address.startswith("\\x1b999")
    assert len(row.address) == len(row.request_id) == 64


def test_times_are_stored_as_sortable_text_in_utc(sqlite: Database) -> None:
    paris = timezone(timedelta(hours=1))
    log = AuditLog(sqlite, lambda: datetime(2026, 1, 1, 0, 30, tzinfo=paris))
    log.record(SignInRefused(actor="local/ann", reason="disabled"), HERE)
    with sqlite.reading() as session:
        stored = session.connection().exec_driver_sql("SELECT at FROM audit_events").scalar_one()
    assert stored == "2025-12-31T23:30:00.000000Z"
    assert rows(sqlite)[0].at == datetime(2025, 12, 31, 23, 30, tzinfo=UTC)


def test_nothing_is_written_to_a_chain_without_its_head(database: Database) -> None:
    with database.writing() as session:
        session.connection().exec_driver_sql("DELETE FROM audit_head")
    with pytest.raises(ChainWithoutHead):
        AuditLog(database).record(SignInRefused(actor="local/ann", reason="disabled"), HERE)
    assert rows(database) == []


def remember(session: Session, name: str) -> None:
    session.add(SecretRow(name=name, value="00"))


def remembered(database: Database) -> set[str]:
    with database.reading() as session:
        return set(session.scalars(select(SecretRow.name)))


def test_a_change_beside_an_event_is_kept_with_it(database: Database) -> None:
    event = SignInRefused(actor="local/ann", reason="disabled")
    AuditLog(database).record(event, HERE, lambda session: remember(session, "beside"))
    assert len(rows(database)) == 1
    assert "beside" in remembered(database)


@pytest.mark.parametrize("failure", ["raises", "breaks a constraint"])
def test_a_failing_change_reaches_only_its_own_caller(database: Database, failure: str) -> None:
    """Five callers meet in one transaction; the one whose change fails is alone in that."""
    log = AuditLog(database)
    leading, gate = threading.Event(), threading.Event()

    def lead(session: Session) -> None:
        leading.set()
        assert gate.wait(30)

    def change(session: Session, number: int) -> None:
        remember(session, f"number {number}")
        if number == 2 and failure == "raises":
            raise ZeroDivisionError
        if number == 2:
            session.add(SecretRow(name="number 2", value=None))

    def record(number: int) -> None:
        event = SignInRefused(actor=f"local/{number}", reason="disabled")
        log.record(event, HERE, lambda session: change(session, number))

    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(
            log.record, SignInRefused(actor="local/lead", reason="disabled"), HERE, lead
        )
        assert leading.wait(30)
        others = [threads.submit(record, number) for number in range(5)]
        while log.waiting < len(others):
            time.sleep(0.001)
        gate.set()
    assert first.exception() is None
    failed = [number for number, each in enumerate(others) if each.exception() is not None]
    assert failed == [2]
    expected = ZeroDivisionError if failure == "raises" else SQLAlchemyError
    assert isinstance(others[2].exception(), expected)
    assert {row.actor for row in rows(database)} == {"local/lead"} | {
        f"local/{number}" for number in (0, 1, 3, 4)
    }
    assert {name for name in remembered(database) if name.startswith("number")} == {
        f"number {number}" for number in (0, 1, 3, 4)
    }
    assert verify(database).finding is None
