"""Inserting a row that another process may be inserting at this moment."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from idp.db.models import Base


def insert_if_absent(session: Session, table: type[Base], **values: Any) -> None:
    """Insert a row unless one with the same key is there; whoever comes first wins, quietly."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert if on_sqlite else postgresql.insert
    session.execute(insert(table).values(**values).on_conflict_do_nothing())
