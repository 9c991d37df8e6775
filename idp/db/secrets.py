"""Random secrets that all nodes share through the database."""

from __future__ import annotations

import secrets

from sqlalchemy import select

from idp.db.engine import Database
from idp.db.insert import insert_if_absent
from idp.db.models import SecretRow


def shared_secret(database: Database, name: str) -> bytes:
    """The secret `name`, 32 bytes, made by whoever asks first."""
    query = select(SecretRow.value).where(SecretRow.name == name)
    with database.reading() as session:
        value = session.scalar(query)
    if value is None:
        with database.writing() as session:
            insert_if_absent(session, SecretRow, name=name, value=secrets.token_hex(32))
            value = session.scalars(query).one()
    return bytes.fromhex(value)
