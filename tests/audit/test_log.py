"""The audit chain holds what happened, in order, whoever writes."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from idp.audit.events import AdminActed, SignInRefused
from idp.audit.log import GENESIS, AuditLog, Origin, row_hash
from idp.db.engine import Database
from idp.db.models import AuditEventRow, AuditHeadRow

HERE = Origin("192.0.2.1", "request-1")


def rows(database: Database) -> list[AuditEventRow]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEventRow).order_by(AuditEventRow.seq)))


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


@pytest.mark.parametrize("column", ["type", "actor", "address", "request_id", "detail"])
def test_any_change_of_a_row_breaks_its_seal(sqlite: Database, column: str) -> None:
    AuditLog(sqlite).record(SignInRefused(actor="local/ann", reason="disabled"), HERE)
    (row,) = rows(sqlite)
    setattr(row, column, getattr(row, column) + "x")
    assert row_hash(row) != row.hash


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
    event = AdminActed(actor="cli/root", action="user.added", subject="ann", changes={})

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
