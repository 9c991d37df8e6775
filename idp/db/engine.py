"""The database: one engine, short transactions, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from idp.db.direct import Direct
from idp.db.turns import Turns
from idp.errors import IdpError

LEAST_FREE = 1024 * 1024  # bytes on SQLite's disk

_DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


class DatabaseUnavailable(IdpError):
    """The database can't be opened or reached."""

    status = 503


class Database:
    """Hands out transactions: `reading()` for looking, `writing()` for a change that commits whole.

    On SQLite a writing transaction takes the write lock at its start (BEGIN IMMEDIATE), so that
    two writers wait for each other and never fail half-way with "database is locked". `direct`
    is the short way for the statements that every sign-in runs.
    """

    def __init__(self, url: str, pool_size: int = 8) -> None:
        parsed = _address(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._turns: Turns | nullcontext[None] = nullcontext()
        if self.is_sqlite and parsed.database:
            _make_file(Path(parsed.database))
            self._turns = Turns(Path(parsed.database))
        # Errors go to the log, and parameters may be password hashes.
        options: dict[str, Any] = {
            "pool_size": pool_size,
            "max_overflow": pool_size,
            "hide_parameters": True,
        }
        if not self.is_sqlite:
            options["pool_pre_ping"] = True
            options["connect_args"] = {"connect_timeout": 5}
        self.engine: Engine = create_engine(parsed, **options)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _set_up_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writer = self.engine.execution_options(write=True)
        self.direct = Direct(self.engine, pool_size, self._turns)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for queries; what it changes is not kept."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes are committed when the block ends well, and none otherwise."""
        with (
            self._turns,
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def check(self) -> None:
        """Raise DatabaseUnavailable with the reason if no connection can be made."""
        try:
            with self.engine.connect():
                pass
        except DBAPIError as problem:
            raise self._refused(problem) from None

    def _refused(self, problem: DBAPIError) -> DatabaseUnavailable:
        if self.is_sqlite:
            return DatabaseUnavailable(
                f"The database {self.engine.url.database} can't be used: {_reason(problem)}.",
                "It and its folder must be this user's to write, even to be read. If it is "
                "damaged, restore a backup, and keep the damaged one.",
            )
        return DatabaseUnavailable(
            f"The database does not answer: {_reason(problem)}.",
            "Check database.url, and that the server runs and lets this user in.",
        )

    def why_not_writable(self, connection: Connection) -> str:
        """What would fail every write, in words; "" if nothing is known to. Raises DBAPIError.

        Nothing is written to find out, so not every reason is found.
        """
        if not self.is_sqlite:
            answer = connection.exec_driver_sql("SHOW transaction_read_only").scalar()
            return "it takes no changes: it is a standby, or read-only" if answer == "on" else ""
        file = Path(str(self.engine.url.database))
        try:
            disk = os.statvfs(file.parent)
        except OSError as problem:
            return str(problem.strerror)
        if disk.f_flag & os.ST_RDONLY or not os.access(file, os.W_OK):
            return "its file can't be written"
        return "its disk is full" if disk.f_bavail * disk.f_frsize < LEAST_FREE else ""

    def close(self) -> None:
        """Give all connections back."""
        self.direct.close()
        if isinstance(self._turns, Turns):
            self._turns.close()
        self.engine.dispose()


def unusable(problem: Exception) -> DatabaseUnavailable | None:
    """The refusal for a database that failed in the middle of something; None if it did not."""
    if isinstance(problem, NoConnectionFree):
        return DatabaseUnavailable("No connection to the database became free in time.")
    # A plain DatabaseError is SQLite's for a file that is damaged; most of its kinds are bugs.
    if isinstance(problem, OperationalError | InterfaceError) or type(problem) is DatabaseError:
        return DatabaseUnavailable(
            f"The database can't be used: {_reason(problem)}.",
            "Look at its disk and its own log, then run this again.",
        )
    return None


def _reason(problem: DBAPIError) -> str:
    return str(problem.orig).strip().partition("\n")[0].rstrip(".")


def _address(url: str) -> URL:
    """The parsed address; it may hold a password, so no message ever shows it."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    driver = _DRIVERS.get(parsed.drivername) if parsed else None
    # One in memory would be another one for each connection.
    in_memory = driver == "sqlite" and parsed and parsed.database in (None, "", ":memory:")
    if parsed is None or driver is None or in_memory:
        raise DatabaseUnavailable(
            "database.url is not the address of a database that can be used.",
            "Leave it empty for SQLite, or write postgresql://user@host/name.",
        )
    return parsed.set(drivername=driver)


def _make_file(file: Path) -> None:
    """A new database is for us alone from its first byte; its -wal and -shm follow its mode."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as problem:
        raise DatabaseUnavailable(
            f"The database {file} can't be made: {problem.strerror}.",
            "Set data_folder to a place where this user may write.",
        ) from None


def _set_up_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout = 10000",
        "journal_mode = WAL",
        "synchronous = FULL",  # an acknowledged audit row survives a power cut
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
