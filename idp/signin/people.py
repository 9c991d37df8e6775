"""The anchor of a person across sign-ins: one row for each identity of a directory."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from idp.db.models import PersonRow
from idp.directory.person import Person


def find_or_add_person(session: Session, person: Person, now: datetime) -> str:
    """The id of the person's row in `people`, made now if there is none; updates its user name.

    Two sign-ins at once get the same row: the second insert waits for the first and does nothing.
    """
    here = (
        PersonRow.directory == person.directory,
        PersonRow.directory_id == person.directory_id,
    )
    found = session.execute(select(PersonRow.id, PersonRow.username).where(*here)).one_or_none()
    if found is None:
        session.execute(_insert_unless_there(session, person, now))
        found = session.execute(select(PersonRow.id, PersonRow.username).where(*here)).one()
    if found.username != person.username:
        session.execute(update(PersonRow).where(*here).values(username=person.username))
    person_id: str = found.id
    return person_id


def _insert_unless_there(
    session: Session, person: Person, now: datetime
) -> sqlite.Insert | postgresql.Insert:
    values = {
        "id": uuid.uuid4().hex,
        "directory": person.directory,
        "directory_id": person.directory_id,
        "username": person.username,
        "first_seen_at": now,
    }
    unique = ["directory", "directory_id"]
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(PersonRow).values(values).on_conflict_do_nothing(index_elements=unique)
    return postgresql.insert(PersonRow).values(values).on_conflict_do_nothing(index_elements=unique)
