"""The portal's memory: which roles a person pinned, and used lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from idp.db.insert import insert_or_change
from idp.db.models import PortalRoleRow

RECENT_ROLES = 4


@dataclass(frozen=True, slots=True)
class PortalMemory:
    """Role ARNs: those pinned, and those used lately, the latest first."""

    pinned: frozenset[str]
    recent: tuple[str, ...]


def portal_memory(session: Session, person_id: str) -> PortalMemory:
    """What the portal remembers of a person."""
    rows = session.scalars(select(PortalRoleRow).where(PortalRoleRow.person_id == person_id)).all()
    used = sorted((row.used_at, row.role_arn) for row in rows if row.used_at is not None)
    return PortalMemory(
        frozenset(row.role_arn for row in rows if row.pinned),
        tuple(arn for _, arn in reversed(used[-RECENT_ROLES:])),
    )


def remember_use(session: Session, person_id: str, role_arn: str, now: datetime) -> None:
    """Note that a role was opened. Needs a writing transaction."""
    _change(session, person_id, role_arn, used_at=now)


def pin(session: Session, person_id: str, role_arn: str, pinned: bool) -> None:
    """Pin a role, or let it go. Needs a writing transaction."""
    _change(session, person_id, role_arn, pinned=pinned)


def _change(session: Session, person_id: str, role_arn: str, **values: object) -> None:
    row = {"person_id": person_id, "role_arn": role_arn, "pinned": False, "used_at": None}
    insert_or_change(session, PortalRoleRow, tuple(values), **row | values)
