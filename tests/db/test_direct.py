"""Statements past SQLAlchemy: the same transactions and the same errors, on both databases."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from idp.db.direct import Statement
from idp.db.engine import Database
from tests.servers.postgresql import PostgresServer

ADD = Statement("INSERT INTO secrets (name, value) VALUES (?, ?)")
FIND = Statement("SELECT name, value FROM secrets WHERE name = ?")
COUNT = Statement("SELECT count(*) FROM secrets WHERE value = ?")
NONSENSE = Statement("SELECT nothing FROM nowhere WHERE x = ?")


def test_what_a_transaction_wrote_is_there_for_everybody(database: Database) -> None:
    with database.direct.writing() as transaction:
        transaction.run(ADD, [("one", "1"), ("two", "2")])
        assert transaction.rows(FIND, ("one",)) == [("one", "1")]
    assert database.direct.rows(FIND, ("two",)) == [("two", "2")]
    with database.reading() as session:
        found = session.execute(text("SELECT name FROM secrets WHERE name IN ('one', 'two')"))
        assert set(found.scalars()) == {"one", "two"}


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.direct.writing() as transaction:
            transaction.run(ADD, [("one", "1")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert database.direct.rows(FIND, ("one",)) == []
    with database.direct.writing() as transaction:
        transaction.run(ADD, [("one", "again")])
    assert database.direct.rows(FIND, ("one",)) == [("one", "again")]


def test_it_joins_the_transaction_of_a_session(database: Database) -> None:
    def fail() -> None:
        with database.writing() as session:
            database.direct.joining(session).run(ADD, [("one", "1")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert database.direct.rows(FIND, ("one",)) == []
    with database.writing() as session:
        database.direct.joining(session).run(ADD, [("one", "1")])
    assert database.direct.rows(FIND, ("one",)) == [("one", "1")]


def test_errors_are_sqlalchemys_and_show_no_parameters(database: Database) -> None:
    def twice() -> None:
        with database.direct.writing() as transaction:
            transaction.run(ADD, [("one", "hidden-value")])
            transaction.run(ADD, [("one", "hidden-value")])

    with pytest.raises(IntegrityError) as refused:
        twice()
    assert "hidden-value" not in str(refused.value)
    with pytest.raises(SQLAlchemyError):
        database.direct.rows(NONSENSE, ("x",))
    with pytest.raises(SQLAlchemyError), database.direct.writing() as transaction:
        transaction.rows(NONSENSE, ("x",))
    assert database.direct.rows(FIND, ("one",)) == []


def test_a_query_leaves_no_transaction_open(sqlite: Database) -> None:
    """An open one would keep SQLite from ever cutting its write-ahead log."""
    sqlite.direct.rows(COUNT, ("x",))
    with sqlite.direct.writing() as transaction:
        transaction.run(ADD, [("one", "1")])
    with sqlite.engine.connect() as connection:
        busy, _, _ = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()
    assert busy == 0


def test_writers_of_many_threads_wait_for_each_other(database: Database) -> None:
    def add(number: int) -> None:
        with database.direct.writing() as transaction:
            transaction.run(ADD, [(f"number {number}", "same")])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(40)))
    assert database.direct.rows(COUNT, ("same",)) == [(40,)]


def test_connections_that_died_with_their_server_are_replaced(postgres: PostgresServer) -> None:
    database = Database(postgres.url(postgres.copy_of("ready")))
    try:
        for ask in (_read, _write):
            ask(database)
            with database.writing() as session:
                others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                others += "datname = current_database() AND pid <> pg_backend_pid()"
                assert session.execute(text(others)).all()
            ask(database)
        with pytest.raises(ProgrammingError):
            database.direct.rows(NONSENSE, ("x",))
    finally:
        database.close()


def _read(database: Database) -> None:
    assert database.direct.rows(COUNT, ("no such value",)) == [(0,)]


def _write(database: Database) -> None:
    with database.direct.writing() as transaction:
        transaction.rows(COUNT, ("x",))


def test_busy_processes_take_turns(sqlite_url: str) -> None:
    """Without turns, one of two that write without pause is left waiting for seconds."""
    first = subprocess.Popen([sys.executable, "-c", _BUSY, sqlite_url], stdout=subprocess.PIPE)
    second = subprocess.Popen([sys.executable, "-c", _BUSY, sqlite_url], stdout=subprocess.PIPE)
    longest = [float(each.communicate(timeout=60)[0]) for each in (first, second)]
    assert max(longest) < 1.0


_BUSY = """
import sys, time, uuid
from idp.db.direct import Statement
from idp.db.engine import Database
database, longest, began = Database(sys.argv[1]), 0.0, time.perf_counter()
while (now := time.perf_counter()) - began < 1.5:
    with database.direct.writing() as transaction:
        row = (uuid.uuid4().hex, "x")
        transaction.run(Statement("INSERT INTO secrets (name, value) VALUES (?, ?)"), [row])
    longest = max(longest, time.perf_counter() - now)
print(longest)
"""
