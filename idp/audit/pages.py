"""The stored rows in the order of the chain, page by page, as they lie in the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select
from sqlalchemy.exc import DBAPIError

from idp.audit.chain import EVENTS, SEALED
from idp.db.engine import Database
from idp.errors import IdpError

PAGE = 5000

_PAGE = (
    select(*SEALED, EVENTS.c.hash)
    .where(EVENTS.c.seq > bindparam("after"))
    .order_by(EVENTS.c.seq)
    .limit(bindparam("most"))
)
_NUMBERS = (
    select(EVENTS.c.seq)
    .where(EVENTS.c.seq > bindparam("after"))
    .order_by(EVENTS.c.seq)
    .limit(bindparam("most"))
)
LOWEST = -(2**63)


class Unreadable(Exception):
    """A row holds what the driver can't read as text, so nobody of ours wrote it."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"row {seq} can't be read")
        self.seq = seq


class TrailUnreadable(IdpError):
    """The database can't give back the rows of the trail."""

    status = 503


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """A reading transaction in which the table stands still; writers go on meanwhile.

    Raises TrailUnreadable if the database fails in it.
    """
    engine = database.engine
    if not database.is_sqlite:  # SQLite's transactions are snapshots anyway
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except DBAPIError as problem:
        reason = str(problem.orig).strip().partition("\n")[0]
        raise TrailUnreadable(
            f"The audit trail can't be read to its end: {reason}.",
            "If the database is damaged, restore a backup, and keep the damaged one.",
        ) from None


def sealed_pages(connection: Connection) -> Iterator[list[Row[Any]]]:
    """All rows as the columns of SEALED and their hash, PAGE at a time, in constant memory.

    Raises Unreadable after the last page before such a row.
    """
    after = LOWEST
    while True:
        try:
            page = list(connection.execute(_PAGE, {"after": after, "most": PAGE}))
        except DBAPIError:
            yield from _up_to_the_unreadable(connection, after)
            raise
        if page:
            yield page
            after = page[-1].seq
        if len(page) < PAGE:
            return


def row_at(connection: Connection, seq: int) -> Row[Any] | None:
    """One row, like those of sealed_pages; None also if it can't be read."""
    try:
        row = connection.execute(_PAGE, {"after": seq - 1, "most": 1}).one_or_none()
    except DBAPIError:
        return None
    return row if row is not None and row.seq == seq else None


def _up_to_the_unreadable(connection: Connection, after: int) -> Iterator[list[Row[Any]]]:
    numbers = connection.execute(_NUMBERS, {"after": after, "most": PAGE}).scalars().all()
    for seq in numbers:
        try:
            yield list(connection.execute(_PAGE, {"after": seq - 1, "most": 1}))
        except DBAPIError:
            raise Unreadable(seq) from None
