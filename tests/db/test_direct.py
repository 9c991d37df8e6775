"""Statements past SQLAlchemy: the same transactions and the same errors, on both databases."""

from __future__ import annotations

import linecache
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError

from idp.db.direct import Direct, Statement
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


FORKED = """
import os, sys
from sqlalchemy import text
from idp.db.direct import Statement
from idp.db.engine import Database
WHO = Statement("SELECT pg_backend_pid() WHERE ? = 1")
def asked():
    with database.reading() as session:
        mine = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        return {mine, database.direct.rows(WHO, (1,))[0][0]}
database = Database(sys.argv[1])
before = asked() | asked() | asked()
assert asked() <= before  # they are kept
child = os.fork()
if child == 0:
    os._exit(0 if not asked() & before else 1)
status = os.waitpid(child, 0)[1]
assert asked() <= before  # they live on
database.close()
raise SystemExit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_process_leaves_its_parents_connections_alone(postgres: PostgresServer) -> None:
    command = [sys.executable, "-c", FORKED, postgres.url(postgres.copy_of("ready"))]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


def test_an_answer_that_breaks_off_is_sqlalchemys_error_too(sqlite: Database) -> None:
    """SQLite finds out what a row holds when it is fetched."""
    overflow = Statement("SELECT 1 UNION ALL SELECT abs(-9223372036854775808) WHERE 'x' = ?")
    with pytest.raises(SQLAlchemyError) as refused:
        sqlite.direct.rows(overflow, ("x",))
    assert isinstance(refused.value, DBAPIError)
    assert not refused.value.connection_invalidated
    _read(sqlite)


def test_another_thread_may_take_the_last_one_while_all_are_closed(sqlite: Database) -> None:
    _read(sqlite)
    taken: list[Any] = []

    def step(frame: FrameType, _event: str, _argument: object) -> Any:
        """Just before the line that takes one, be the other thread."""
        if ".pop(" in linecache.getline(frame.f_code.co_filename, frame.f_lineno) and not taken:
            taken.append(sqlite.direct._take()[0])
        return step

    def begin(frame: FrameType, _event: str, _argument: object) -> Any:
        return step if frame.f_code is Direct.close.__code__ else None

    before = sys.gettrace()
    sys.settrace(begin)
    try:
        sqlite.direct.close()
    finally:
        sys.settrace(before)
    assert len(taken) == 1
    taken[0].close()
