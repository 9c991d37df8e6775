"""From phase to phase: each turn of a rotation is one transaction, together with its keys."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from idp.audit.admin_events import KeyActivated, KeyGenerated, KeyRetired
from idp.audit.events import AdminEvent
from idp.audit.rotation_events import RotationEnded, RotationStarted, RotationTurned
from idp.db.models import RotationAccountRow, RotationRow
from idp.entitlements.account import Account
from idp.entitlements.store import hold_accounts_still
from idp.keys.lifecycle import activate, find_key, retire
from idp.keys.new_key import NewKey, generated_key
from idp.keys.signing_key import KeyState, SigningKey
from idp.rotation.book import Book, accounts_with_progress, exclude_accounts
from idp.rotation.changed_keys import forced_turn
from idp.rotation.lease import LEASE
from idp.rotation.plan import Plan
from idp.rotation.record import AccountProgress, Phase, Rotation, RotationRefused, rotation_named
from idp.rotation.surroundings import Surroundings

# An account that was seen to hold the certificate longer ago is looked at again before the key
# signs: somebody may have changed the provider since.
FRESH = timedelta(minutes=10)


def begin(around: Surroundings, plan: Plan, holder: str) -> Rotation:
    """Make the next key; write it and the rotation, with its lease for `holder`, down at once.

    From then on the metadata holds both certificates. Raises RotationRefused if another rotation
    was begun at the same moment, or the active key is not that of the plan any more; and what
    generated_key raises.
    """
    rotation_id = secrets.token_hex(8)
    with _made(around, plan) as new, around.database.writing() as session:
        now = around.now()
        old = find_key(session, plan.old.id)
        key = _written_down(session, around, new) if new else _chosen(session, plan)
        if old.state is not KeyState.ACTIVE or key.state is not KeyState.NEXT:
            raise RotationRefused(
                "The keys have been changed since this plan was made.",
                "Nothing was changed. Plan again.",
            )
        row = RotationRow(
            id=rotation_id,
            open=1,
            phase=Phase.DISTRIBUTING,
            old_key_id=old.id,
            next_key_id=key.id,
            overlap_seconds=int(plan.overlap.total_seconds()),
            started_at=now,
            started_by=around.actor,
            lease_holder=holder,
            lease_until=now + LEASE,
        )
        session.add(row)
        try:
            session.flush()
        except IntegrityError:
            raise RotationRefused(
                "Another rotation was begun at the same moment.", "Nothing was changed here."
            ) from None
        changes = {
            "old_key": old.id,
            "next_key": key.id,
            "overlap_seconds": row.overlap_seconds,
            "accounts": len(plan.accounts),
        }

        def record(event: AdminEvent) -> None:
            around.audit.append(session, event, around.origin)

        record(RotationStarted(actor=around.actor, subject=rotation_id, changes=changes))
        exclude_accounts(session, rotation_id, plan.excluded, now, record, around.actor)
        return Rotation.from_row(row)


def try_to_activate(book: Book) -> bool:
    """Let the next key sign, if every registered account that is not excluded holds it and, where
    it has a probe role, has proved it; the list of accounts stands still meanwhile.

    False: some account came to the list, or has to be looked at again, or the keys were changed.
    Raises KeyStepRefused.
    """
    around = book.around
    with book.entry() as (session, now):
        hold_accounts_still(session)
        rotation = rotation_named(session, book.rotation_id)
        waiting = [
            account
            for account, progress in accounts_with_progress(session, rotation.id)
            if waits(account, progress, now, around.propagation)
        ]
        old, new = find_key(session, rotation.old_key_id), find_key(session, rotation.next_key_id)
        if waiting or forced_turn(rotation, old, new) is not None:
            return False
        key = activate(
            session, rotation.next_key_id, now, around.actor, replacing=rotation.old_key_id
        )
        row = _row(session, rotation.id)
        row.phase, row.activated_at = Phase.OVERLAP, now
        row.overlap_until = now + rotation.overlap
        changes = {
            "fingerprint": key.fingerprint,
            "retiring": rotation.old_key_id,
            "rotation": rotation.id,
        }
        book.recorder(session)(KeyActivated(actor=around.actor, subject=key.id, changes=changes))
        return True


def waits(
    account: Account, progress: AccountProgress, now: datetime, propagation: timedelta
) -> bool:
    """Whether something has to be done in an account before the next key may sign."""
    unproved = account.probe_role is not None and progress.proved_at is None
    return unproved or needs_look(progress, now, propagation)


def needs_look(progress: AccountProgress, now: datetime, propagation: timedelta) -> bool:
    """Whether an account was not seen to hold the next certificate, or not lately."""
    return progress.held_at is None or progress.held_at < now - FRESH - propagation


def turn(book: Book, phase: Phase, reason: str, **columns: Any) -> None:
    """Come to another phase, in which every account has to be looked at anew."""
    with book.entry() as (session, _now):
        turn_in(session, book.rotation_id, phase, reason, book.around.actor, book.recorder(session))
        row = _row(session, book.rotation_id)
        for name, value in columns.items():
            setattr(row, name, value)


def turn_in(
    session: Session,
    rotation_id: str,
    phase: Phase,
    reason: str,
    actor: str,
    record: Callable[[AdminEvent], None],
) -> None:
    """The turn itself, in the caller's transaction."""
    row = _row(session, rotation_id)
    changes = {"phase": f"{row.phase} → {phase}", "reason": reason}
    row.phase = phase
    record(RotationTurned(actor=actor, subject=rotation_id, changes=changes))


def verified(book: Book) -> None:
    """Every account was seen to hold the new key's certificate while that signs."""
    with book.entry() as (session, now):
        _row(session, book.rotation_id).verified_at = now


def try_to_retire(book: Book, key_id: str, given_up: Sequence[Account] = ()) -> bool:
    """Retire the key that goes, if no account holds its certificate; then all are looked at again.

    For until now the metadata had the certificate, and whoever registered an account by hand has
    brought it back. `given_up` are accounts that need not say that they do not hold it.
    False: some account has to be looked at first. Raises KeyStepRefused.
    """
    around = book.around
    with book.entry() as (session, now):
        hold_accounts_still(session)
        if _left(session, book.rotation_id, given_up):
            return False
        before = find_key(session, key_id)
        key = retire(session, key_id, now, around.actor)
        session.execute(
            update(RotationAccountRow)
            .where(RotationAccountRow.rotation_id == book.rotation_id)
            .values(withdrawn_at=None)
        )
        changes = {
            "state": f"{before.state} → {key.state}",
            "fingerprint": key.fingerprint,
            "rotation": book.rotation_id,
        }
        book.recorder(session)(KeyRetired(actor=around.actor, subject=key.id, changes=changes))
        return True


def try_to_end(book: Book, phase: Phase, given_up: Sequence[Account] = ()) -> bool:
    """End the rotation, if no account holds the certificate of the key that has gone.

    As try_to_retire says. False: some account has to be looked at first.
    """
    with book.entry() as (session, now):
        hold_accounts_still(session)
        if _left(session, book.rotation_id, given_up):
            return False
        row = _row(session, book.rotation_id)
        row.phase, row.ended_at, row.open = phase, now, None
        changes = {
            "outcome": phase.value,
            "not_confirmed": sorted(account.number for account in given_up),
        }
        event = RotationEnded(actor=book.around.actor, subject=row.id, changes=changes)
        book.recorder(session)(event)
        return True


def _left(session: Session, rotation_id: str, given_up: Sequence[Account]) -> list[Account]:
    providers = {account.provider for account in given_up}
    return [
        account
        for account, progress in accounts_with_progress(session, rotation_id)
        if progress.withdrawn_at is None and account.provider not in providers
    ]


def _made(around: Surroundings, plan: Plan) -> AbstractContextManager[NewKey | None]:
    """The next key before any transaction begins; None if the plan has one that is there."""
    if plan.key is not None:
        return nullcontext()
    return generated_key(
        around.database,
        around.settings,
        now=around.now(),
        custody=plan.custody,
        actor=around.actor,
    )


def _written_down(session: Session, around: Surroundings, new: NewKey) -> SigningKey:
    key = new.write_down(session)
    changes = {
        "state": key.state.value,
        "custody": key.custody,
        "algorithm": key.algorithm,
        "fingerprint": key.fingerprint,
    }
    event = KeyGenerated(actor=around.actor, subject=key.id, changes=changes)
    around.audit.append(session, event, around.origin)
    return key


def _chosen(session: Session, plan: Plan) -> SigningKey:
    return find_key(session, plan.key.id if plan.key else "")


def _row(session: Session, rotation_id: str) -> RotationRow:
    row = session.get(RotationRow, rotation_id)
    if row is None:
        raise RotationRefused(f"There is no rotation {rotation_id[:64]!r}.")
    return row
