"""The driver's own connections, for the few statements that every sign-in runs.

SQLAlchemy stands between for everything else: it costs ten times what SQLite itself takes for
such a statement. Errors are SQLAlchemy's all the same, so that callers know one kind.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Row = tuple[Any, ...]


class Statement:
    """SQL as both databases read it, with ? for each parameter and no other ? or %.

    `lock` keeps other writers off the rows that a query finds until the transaction ends; on
    SQLite the transaction itself does that.
    """

    __slots__ = ("postgresql", "sqlite")

    def __init__(self, text: str, *, lock: bool = False) -> None:
        self.sqlite = text
        self.postgresql = text.replace("?", "%s") + (" FOR UPDATE" if lock else "")


class Transaction:
    """A running transaction on a driver's connection."""

    __slots__ = ("_connection", "_direct")

    def __init__(self, direct: Direct, connection: Any) -> None:
        self._direct = direct
        self._connection = connection

    def rows(self, statement: Statement, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a query. Raises DBAPIError."""
        text = self._direct.text(statement)
        try:
            found: list[Row] = self._connection.execute(text, parameters).fetchall()
        except self._direct.error as problem:
            raise self._direct.translated(problem, text, self._connection) from problem
        return found

    def run(self, statement: Statement, each: Sequence[Sequence[Any]]) -> None:
        """Run a change once for each row of parameters. Raises DBAPIError."""
        text = self._direct.text(statement)
        try:
            if len(each) == 1:
                self._connection.execute(text, each[0])
            else:
                self._connection.cursor().executemany(text, each)
        except self._direct.error as problem:
            raise self._direct.translated(problem, text, self._connection) from problem


class Direct:
    """Connections of our own, made as the engine makes its own; up to `keep` are kept for reuse."""

    def __init__(self, engine: Engine, keep: int, turns: AbstractContextManager[None]) -> None:
        self._engine = engine
        self._turns = turns
        self._sqlite = engine.dialect.name == "sqlite"
        self._begin = "BEGIN IMMEDIATE" if self._sqlite else "BEGIN"
        self._keep = keep
        self._idle: list[Any] = []
        self._of_parent: list[Any] = []
        self.error: type[Exception] = engine.dialect.loaded_dbapi.Error
        _all.add(self)

    def text(self, statement: Statement) -> str:
        """The statement as this database's driver takes it."""
        return statement.sqlite if self._sqlite else statement.postgresql

    def rows(self, statement: Statement, parameters: Sequence[Any]) -> list[Row]:
        """Run one query, as a transaction of its own. Raises DBAPIError."""
        text = self.text(statement)
        connection, answer = self._first(text, parameters)
        try:
            found: list[Row] = answer.fetchall()
        except self.error as problem:
            translated = self.translated(problem, text, connection)
            connection.close()
            raise translated from problem
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return found

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A writing transaction: committed when the block ends well, undone otherwise.

        Raises DBAPIError.
        """
        with self._turns:
            connection, _ = self._first(self._begin, ())
            try:
                yield Transaction(self, connection)
                self._commit(connection)
            except BaseException:
                connection.close()  # which undoes what was done
                raise
            self._give_back(connection)

    def _commit(self, connection: Any) -> None:
        try:
            connection.execute("COMMIT")
        except self.error as problem:
            raise self.translated(problem, "COMMIT", connection) from problem

    def joining(self, session: Session) -> Transaction:
        """The running transaction of a session, for statements of ours in it."""
        return Transaction(self, session.connection().connection.driver_connection)

    def translated(self, problem: Exception, text: str, connection: Any) -> BaseException:
        """The driver's error as SQLAlchemy's; parameters, which may be secret, are left out."""
        return DBAPIError.instance(
            text,
            None,
            problem,
            self.error,
            hide_parameters=True,
            connection_invalidated=self._is_lost(problem, connection),
            dialect=self._engine.dialect,
        )

    def close(self) -> None:
        """Close the connections that are not in use."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread may have taken the last one
                return
            connection.close()

    def begin_anew(self) -> None:
        """Use no connection from before a fork: both processes would speak on it.

        They are kept, unused: to close them would end them for the parent too.
        """
        self._of_parent += [*self._idle, self._engine.pool]
        self._idle = []
        self._engine.dispose(close=False)

    def _first(self, text: str, parameters: Sequence[Any]) -> tuple[Any, Any]:
        """A connection and its answer to the first statement.

        One that was kept may have died since, with the server; then a new one is asked.
        """
        while True:
            connection, kept = self._take()
            try:
                return connection, connection.execute(text, parameters)
            except self.error as problem:
                translated = self.translated(problem, text, connection)
                lost = self._is_lost(problem, connection)
                connection.close()
                if kept and lost:
                    self.close()
                    continue
                raise translated from problem
            except BaseException:
                connection.close()
                raise

    def _take(self) -> tuple[Any, bool]:
        """A connection, and whether it was kept from before. Raises DBAPIError."""
        try:
            return self._idle.pop(), True
        except IndexError:
            pass
        try:
            pooled = self._engine.raw_connection()
        except self.error as problem:
            raise self.translated(problem, "", None) from problem
        connection: Any = pooled.driver_connection
        pooled.detach()
        if not self._sqlite:
            connection.autocommit = True  # on SQLite the engine has seen to it
        return connection, False

    def _give_back(self, connection: Any) -> None:
        if len(self._idle) < self._keep:
            self._idle.append(connection)
        else:
            connection.close()

    def _is_lost(self, problem: Exception, connection: Any) -> bool:
        dialect: Any = self._engine.dialect
        return bool(dialect.is_disconnect(problem, connection, None))


_all: weakref.WeakSet[Direct] = weakref.WeakSet()


def _after_fork() -> None:
    for each in _all:
        each.begin_anew()


os.register_at_fork(after_in_child=_after_fork)


def utc(value: datetime | str) -> datetime:
    """A time as the driver gives it (SQLite: text without a zone), aware and in UTC."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value.astimezone(UTC)
