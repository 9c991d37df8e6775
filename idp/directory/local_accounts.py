"""Reading the local directory's tables, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.db.models import LocalMembershipRow, LocalUserRow
from idp.directory.person import Group, Person

PAGE = 1000


@dataclass(frozen=True, slots=True)
class LocalAccount:
    """A local user as an administrator sees them, disabled or not."""

    person: Person
    disabled_at: datetime | None
    created_at: datetime
    has_password: bool


def account_from(row: LocalUserRow, directory: str) -> LocalAccount:
    """The account of a row whose groups are loaded."""
    return _account(row, (each.group_name for each in row.groups), directory)


def account_document(account: LocalAccount) -> dict[str, Any]:
    """The account as JSON types, the way the command line prints it; times are ISO 8601."""
    person = account.person
    return {
        "username": person.username,
        "display_name": person.display_name,
        "email": person.email,
        "groups": [group.name for group in person.groups],
        "attributes": {name: list(values) for name, values in person.attributes.items()},
        "directory_id": person.directory_id,
        "created_at": account.created_at.isoformat(timespec="seconds"),
        "disabled_at": (
            account.disabled_at.isoformat(timespec="seconds") if account.disabled_at else None
        ),
        "has_password": account.has_password,
    }


def read_accounts(
    database: Database, directory: str, *, group: str | None = None, disabled: bool = True
) -> Iterator[LocalAccount]:
    """All accounts by user name, in constant memory.

    They come in pages of 1,000, each in a transaction of its own, so that no writer has to wait.
    `group` narrows to its members; `disabled` False leaves disabled accounts out.
    """
    last = ""
    while True:
        with database.reading() as session:
            rows = _page(session, last, group, disabled)
            groups = _groups_of(session, [row.id for row in rows])
        for row in rows:
            yield _account(row, groups.get(row.id, []), directory)
        if len(rows) < PAGE:
            return
        last = rows[-1].username_key


def _account(row: LocalUserRow | Row[Any], groups: Iterable[str], directory: str) -> LocalAccount:
    return LocalAccount(
        person=Person(
            directory=directory,
            directory_id=row.id,
            username=row.username,
            display_name=row.display_name,
            email=row.email,
            groups=tuple(Group(name) for name in sorted(groups)),
            attributes={name: tuple(values) for name, values in row.attributes.items()},
        ),
        disabled_at=row.disabled_at,
        created_at=row.created_at,
        has_password=row.password_hash is not None,
    )


def _page(session: Session, last: str, group: str | None, disabled: bool) -> list[Row[Any]]:
    # Columns, not entities: 100,000 people in 2 seconds, not in 9.
    query = select(*LocalUserRow.__table__.columns).where(LocalUserRow.username_key > last)
    if not disabled:
        query = query.where(LocalUserRow.disabled_at.is_(None))
    if group is not None:
        members = select(LocalMembershipRow.user_id).where(LocalMembershipRow.group_name == group)
        query = query.where(LocalUserRow.id.in_(members))
    return list(session.execute(query.order_by(LocalUserRow.username_key).limit(PAGE)))


def _groups_of(session: Session, user_ids: list[str]) -> dict[str, list[str]]:
    query = select(LocalMembershipRow.user_id, LocalMembershipRow.group_name)
    groups: dict[str, list[str]] = {}
    for user_id, name in session.execute(query.where(LocalMembershipRow.user_id.in_(user_ids))):
        groups.setdefault(user_id, []).append(name)
    return groups
