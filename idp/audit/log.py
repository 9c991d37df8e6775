"""The append-only, hash-chained record.

Each row's hash covers its content and the hash of the row before it, so that a changed, removed,
inserted or reordered row shows. Writers take turns on one row, the head of the chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from idp.audit.events import AssertionIssued, Event
from idp.db.engine import Database
from idp.db.models import AuditEventRow, AuditHeadRow

GENESIS = "0" * 64
LONGEST_ACTOR = 400


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event came from: the network address and the request's identifier."""

    address: str
    request_id: str


def utc_now() -> datetime:
    """The time of day, aware, in UTC."""
    return datetime.now(UTC)


class AuditLog:
    """Appends events; an event is durable when `record` returns."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    def record(self, event: Event, origin: Origin) -> None:
        """Append one event in a transaction of its own."""
        with self._database.writing() as session:
            self.append(session, event, origin)

    def append(self, session: Session, event: Event, origin: Origin) -> None:
        """Append one event in the caller's writing transaction, whole with what it tells of."""
        head = session.scalars(
            select(AuditHeadRow).where(AuditHeadRow.id == 1).with_for_update()
        ).one()
        row = AuditEventRow(
            seq=head.seq + 1,
            at=self._now(),
            type=event.type,
            actor=_readable(event.actor),
            address=origin.address,
            request_id=origin.request_id,
            assertion_id=event.assertion_id if isinstance(event, AssertionIssued) else None,
            detail=json.dumps(event.detail(), sort_keys=True),
            previous_hash=head.hash,
        )
        row.hash = row_hash(row)
        session.add(row)
        head.seq, head.hash = row.seq, row.hash


def row_hash(row: AuditEventRow) -> str:
    """SHA-256 over all columns but the hash itself, as a JSON list; lower-case hex."""
    columns = [
        row.previous_hash,
        row.seq,
        row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        row.type,
        row.actor,
        row.address,
        row.request_id,
        row.assertion_id,
        row.detail,
    ]
    text = json.dumps(columns, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _readable(actor: str) -> str:
    """A name as a terminal and every database can take it: what is invisible is escaped."""
    shown = "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in actor[:LONGEST_ACTOR]
    )
    return shown[:LONGEST_ACTOR]
