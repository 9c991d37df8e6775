"""Signing keys in the database: added, listed, the active one found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from idp.db.models import SigningKeyRow
from idp.keys.lifecycle import KeyStepRefused
from idp.keys.signing_key import KeyState, KeyUnusable, SigningKey
from idp.keys.steps import Step, note_step

MOST_PUBLISHED = 10  # certificates in one metadata document, as IAM takes them


def add_key(
    session: Session, row: SigningKeyRow, step: Step, now: datetime, actor: str
) -> SigningKey:
    """Add a key's row: active if there is no active key, else next. Raises KeyStepRefused."""
    require_room(session)
    has_active = session.scalar(
        select(SigningKeyRow.id).where(SigningKeyRow.state == KeyState.ACTIVE)
    )
    row.state = KeyState.NEXT if has_active else KeyState.ACTIVE
    row.activated_at = None if has_active else now
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        raise KeyStepRefused(
            "Somebody else added a key at the same moment, so this one was not made.",
            "Look at: idp certs list",
        ) from None
    note_step(session, row.id, step, now, actor)
    if not has_active:
        note_step(session, row.id, Step.ACTIVATED, now, actor)
    return SigningKey.from_row(row)


def require_room(session: Session) -> None:
    """Raise KeyStepRefused if as many keys are published as IAM takes."""
    published = len(published_keys(session))
    if published >= MOST_PUBLISHED:
        raise KeyStepRefused(
            f"{published} keys are published, and IAM takes {MOST_PUBLISHED} at most.",
            "Retire one that nobody needs: idp certs retire KEY",
        )


def all_keys(session: Session) -> Sequence[SigningKey]:
    """Every key, oldest first."""
    rows = session.scalars(select(SigningKeyRow).order_by(SigningKeyRow.created_at))
    return [SigningKey.from_row(row) for row in rows]


def published_keys(session: Session) -> Sequence[SigningKey]:
    """The keys that our metadata shows: the active one first, then the others by age."""
    keys = [key for key in all_keys(session) if key.state.published]
    return sorted(keys, key=lambda key: key.state is not KeyState.ACTIVE)


def active_key(session: Session) -> SigningKey:
    """The key that signs. Raises KeyUnusable if there is none."""
    row = session.scalar(select(SigningKeyRow).where(SigningKeyRow.state == KeyState.ACTIVE))
    if row is None:
        raise KeyUnusable("There is no active signing key.", "Run: idp certs generate")
    return SigningKey.from_row(row)
