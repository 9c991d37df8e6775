"""From state to state: next, active, retiring, retired; revoked from any of them.

Each function makes one step in the caller's writing transaction and writes down who made it. It
raises before it changes anything, or the caller's transaction has to be rolled back, as
Database.writing does. There is never more than one active key: every step changes a row only if
it is still in the state that was read, and a partial unique index of the database forbids a
second one. There is never none, once there was one: the active key leaves its state only
together with another one's coming.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from idp.db.models import SigningKeyRow
from idp.errors import IdpError
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.steps import Step, note_step

ALLOWED: dict[KeyState, frozenset[KeyState]] = {
    KeyState.NEXT: frozenset({KeyState.ACTIVE, KeyState.RETIRED, KeyState.REVOKED}),
    KeyState.ACTIVE: frozenset({KeyState.RETIRING, KeyState.REVOKED}),
    KeyState.RETIRING: frozenset({KeyState.RETIRED, KeyState.REVOKED}),
    KeyState.RETIRED: frozenset({KeyState.REVOKED}),
    KeyState.REVOKED: frozenset(),
}
_STEPS = {
    KeyState.ACTIVE: Step.ACTIVATED,
    KeyState.RETIRING: Step.RETIRING,
    KeyState.RETIRED: Step.RETIRED,
    KeyState.REVOKED: Step.REVOKED,
}
_MOMENTS = {
    KeyState.ACTIVE: "activated_at",
    KeyState.RETIRING: "retiring_at",
    KeyState.RETIRED: "retired_at",
    KeyState.REVOKED: "revoked_at",
}


class KeyNotFound(IdpError):
    """No key, or more than one, is what somebody named."""

    status = 404


class KeyStepRefused(IdpError):
    """A key can't go from its state to the one that was asked for."""

    status = 409


def find_key(session: Session, text: str) -> SigningKey:
    """The key whose identifier, or else SHA-256 fingerprint, begins with `text`.

    Colons and the case of letters do not matter. Raises KeyNotFound, also if several begin so.
    """
    wanted = text.strip().replace(":", "").casefold()
    rows = session.scalars(select(SigningKeyRow).order_by(SigningKeyRow.created_at)).all()
    found = [row for row in rows if wanted in (row.id, row.fingerprint)] or [
        row
        for row in rows
        if wanted and (row.id.startswith(wanted) or row.fingerprint.startswith(wanted))
    ]
    if not found:
        raise KeyNotFound(f"There is no key {text[:64]!r}.", "Run: idp certs list")
    if len(found) > 1:
        raise KeyNotFound(
            f"{text[:64]!r} is the beginning of {len(found)} keys: "
            f"{', '.join(row.id for row in found)}.",
            "Give more of it.",
        )
    return SigningKey.from_row(found[0])


def activate(
    session: Session, key_id: str, now: datetime, actor: str, *, replacing: str | None = None
) -> SigningKey:
    """Let the next key sign from now on; the one that did so becomes retiring.

    `replacing` is the identifier of the key that the caller saw active; the step is refused if it
    is another one by now. Raises KeyNotFound, KeyStepRefused.
    """
    key = _key(session, key_id)
    _require(key, KeyState.ACTIVE)
    old = _active(session)
    if replacing is not None and (old is None or old.id != replacing):
        raise _changed_meanwhile(replacing)
    if old is not None:
        _move(session, old, KeyState.RETIRING, now, actor, f"replaced by {key.id}")
    return _move(session, key, KeyState.ACTIVE, now, actor)


def retire(session: Session, key_id: str, now: datetime, actor: str) -> SigningKey:
    """Publish a next or retiring key no longer. Raises KeyNotFound, KeyStepRefused."""
    key = _key(session, key_id)
    _require(key, KeyState.RETIRED)
    return _move(session, key, KeyState.RETIRED, now, actor)


def revoke(session: Session, key_id: str, now: datetime, actor: str, reason: str) -> SigningKey:
    """Take a key out of use for good; not the active one, see revoke_and_replace.

    Raises KeyNotFound, KeyStepRefused.
    """
    key = _key(session, key_id)
    _require(key, KeyState.REVOKED)
    if key.state is KeyState.ACTIVE:
        raise KeyStepRefused(
            f"Key {key.id} is the active key: without it nobody could sign in.",
            "Activate another key in its place first.",
        )
    return _move(session, key, KeyState.REVOKED, now, actor, reason)


def revoke_and_replace(
    session: Session, key_id: str, next_id: str, now: datetime, actor: str, reason: str
) -> SigningKey:
    """Revoke the active key and let the next key `next_id` sign from now on; gives the latter.

    Raises KeyNotFound, KeyStepRefused.
    """
    key, successor = _key(session, key_id), _key(session, next_id)
    if key.state is not KeyState.ACTIVE:
        raise KeyStepRefused(
            f"Key {key.id} is {key.state}, not active; there is nothing to replace.",
            f"Run: idp certs revoke {key.id}",
        )
    _require(successor, KeyState.ACTIVE)
    _move(session, key, KeyState.REVOKED, now, actor, reason)
    return _move(session, successor, KeyState.ACTIVE, now, actor, f"replaces {key.id}")


def _key(session: Session, key_id: str) -> SigningKey:
    """The key as it is now, not as the session remembers it."""
    row = session.get(SigningKeyRow, key_id, populate_existing=True)
    if row is None:
        raise KeyNotFound(f"There is no key {key_id[:64]!r}.", "Run: idp certs list")
    return SigningKey.from_row(row)


def _active(session: Session) -> SigningKey | None:
    row = session.scalar(
        select(SigningKeyRow)
        .where(SigningKeyRow.state == KeyState.ACTIVE)
        .execution_options(populate_existing=True)
    )
    return None if row is None else SigningKey.from_row(row)


def _require(key: SigningKey, wanted: KeyState) -> None:
    if wanted in ALLOWED[key.state]:
        return
    if key.state is wanted:
        raise KeyStepRefused(f"Key {key.id} is {key.state} already.")
    advice = "Run: idp certs list"
    if wanted is KeyState.RETIRED and key.state is KeyState.ACTIVE:
        advice = "Activate another key first; this one retires after that."
    elif wanted is KeyState.ACTIVE:
        advice = "Only a next key can become active: idp certs generate makes one."
    raise KeyStepRefused(f"Key {key.id} is {key.state}; it can't become {wanted}.", advice)


def _move(
    session: Session,
    key: SigningKey,
    state: KeyState,
    now: datetime,
    actor: str,
    note: str = "",
) -> SigningKey:
    """Change a row if it is still in the state that was read."""
    values: dict[str, Any] = {"state": state, _MOMENTS[state]: now}
    if state is KeyState.REVOKED:
        values["revoked_reason"] = note
    session.flush()
    change = (
        update(SigningKeyRow)
        .where(SigningKeyRow.id == key.id, SigningKeyRow.state == key.state)
        .values(**values)
    )
    try:
        changed = session.connection().execute(change).rowcount
    except IntegrityError:
        raise _changed_meanwhile(key.id) from None
    if changed != 1:
        raise _changed_meanwhile(key.id)
    note_step(session, key.id, _STEPS[state], now, actor, note)
    return _key(session, key.id)


def _changed_meanwhile(key_id: str) -> KeyStepRefused:
    return KeyStepRefused(
        f"Somebody else changed the keys at the same moment ({key_id[:64]}); nothing was done.",
        "Look at: idp certs list",
    )
