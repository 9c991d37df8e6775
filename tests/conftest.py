"""What tests of several rooms share: databases, a key, a company, and the programs they need."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId
from sqlalchemy import text

from idp.db import schema
from idp.db.engine import Database
from tests.servers.postgresql import PostgresServer, find_postgres

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As of a shell's background jobs; the commands that the tests interrupt would have it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def require_program(name: str, *candidates: str) -> str:
    """The path of a program; without it the test is left out, but not in CI."""
    for candidate in candidates:
        found = shutil.which(candidate)
        if found:
            return found
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not installed, and in CI nothing is left out")
    pytest.skip(f"{name} is not installed; tests/prepare.sh installs it where it can")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests of one xdist_group in one process.

    pytest-xdist 3.8 writes the group where pytest 9.2 does not read it (pytest-xdist issue 1386).
    """
    for item in items:
        grouped = getattr(item, "_nodeid", item.nodeid)
        if grouped != item.nodeid:
            item._id = NodeId.parse(grouped)


@pytest.fixture
def now() -> datetime:
    """A fixed time of day."""
    return datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of our own, with a template database that has the schema."""
    folder = find_postgres()
    if folder is None:
        require_program("PostgreSQL", "postgres")
        raise AssertionError("unreachable")
    with PostgresServer(folder) as server:
        server.create("ready")
        database = Database(server.url("ready"))
        schema.upgrade(database)
        database.close()
        yield server


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "ready.sqlite3"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    with database.engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    database.close()
    return path


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite database of its own for the test, with the schema in it."""
    path = tmp_path / "test.sqlite3"
    shutil.copy(_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with the schema in it, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        return url
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.copy_of("ready"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """That database, opened."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    """A SQLite database, for tests in which the kind of database does not matter."""
    opened = Database(sqlite_url)
    yield opened
    opened.close()
