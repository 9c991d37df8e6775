"""Inserting a row that is there already, or that another process is inserting at this moment."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from idp.db.models import Base

_DIALECTS: dict[str, Any] = {"sqlite": sqlite, "postgresql": postgresql}


def insert_if_absent(session: Session, table: type[Base], **values: Any) -> None:
    """Insert a row unless one with the same key is there; whoever comes first wins, quietly."""
    _execute(session, table, (), values)


def insert_or_change(
    session: Session, table: type[Base], change: tuple[str, ...], **values: Any
) -> None:
    """Insert a row; if one with the same primary key is there, set its columns `change`."""
    _execute(session, table, change, values)


def _execute(
    session: Session, table: type[Base], change: tuple[str, ...], values: dict[str, Any]
) -> None:
    connection = session.connection()
    connection.execute(_statement(connection.dialect.name, table, change), values)


@lru_cache(maxsize=64)
def _statement(dialect: str, table: type[Base], change: tuple[str, ...]) -> Any:
    statement = _DIALECTS[dialect].insert(table.__table__)
    if not change:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(
        index_elements=list(table.__table__.primary_key),
        set_={name: statement.excluded[name] for name in change},
    )
