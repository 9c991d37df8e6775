"""What was done with each signing key: who, what, when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from idp.audit.log import LONGEST_ACTOR
from idp.audit.text import printable
from idp.db.models import SigningKeyStepRow


class Step(StrEnum):
    """What can be done with a key."""

    GENERATED = "generated"
    IMPORTED = "imported"
    ACTIVATED = "activated"
    RETIRING = "retiring"
    RETIRED = "retired"
    REVOKED = "revoked"
    ENCRYPTED = "encrypted"
    EXPORTED = "exported"


@dataclass(frozen=True, slots=True)
class KeyStep:
    """One step. `actor` is empty for steps older than this record; `note` is a reason or so."""

    step: str
    at: datetime
    actor: str
    note: str


def note_step(
    session: Session, key_id: str, step: Step, now: datetime, actor: str, note: str = ""
) -> None:
    """Write a step down in the caller's transaction."""
    session.add(
        SigningKeyStepRow(
            key_id=key_id, step=step, at=now, actor=printable(actor, LONGEST_ACTOR), note=note
        )
    )


def steps_of(session: Session, key_id: str) -> Sequence[KeyStep]:
    """What was done with a key, oldest first."""
    rows = session.scalars(
        select(SigningKeyStepRow)
        .where(SigningKeyStepRow.key_id == key_id)
        .order_by(SigningKeyStepRow.id)
    )
    return [KeyStep(row.step, row.at, row.actor, row.note) for row in rows]
