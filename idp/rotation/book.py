"""Writing down how far a rotation is in each account, each step with its audit event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from idp.audit.events import AdminEvent
from idp.audit.rotation_events import (
    RotationAccountExcluded,
    RotationAccountFailed,
    RotationAccountHolds,
    RotationAccountProved,
    RotationAccountWithdrawn,
)
from idp.aws.account_refusal import AccountRefusal
from idp.aws.registration import Registration
from idp.db.models import RotationAccountRow
from idp.entitlements.account import Account
from idp.entitlements.store import stored_accounts
from idp.keys.lifecycle import find_key
from idp.keys.publication import PublishedMetadata, publish_metadata
from idp.keys.signing_key import SigningKey
from idp.keys.store import published_keys
from idp.rotation.lease import Lease, renew
from idp.rotation.record import AccountProgress, Rotation, progress_of, rotation_named
from idp.rotation.surroundings import Surroundings


class Book:
    """The record of one rotation, for whoever holds its lease.

    Every entry is one transaction, and is refused with LeaseLost when the lease is lost.
    """

    def __init__(self, around: Surroundings, rotation_id: str, holder: str, lease: Lease) -> None:
        self.around = around
        self.rotation_id = rotation_id
        self._holder = holder
        self._lease = lease

    @contextmanager
    def entry(self) -> Iterator[tuple[Session, datetime]]:
        """A writing transaction that also renews the lease, and the time of day."""
        now = self.around.now()
        with self.around.database.writing() as session:
            renew(session, self.rotation_id, self._holder, now)
            yield session, now
        self._lease.renewed(now)

    def rotation(self) -> Rotation:
        """The rotation as it is now."""
        with self.around.database.reading() as session:
            return rotation_named(session, self.rotation_id)

    def keys(self) -> tuple[SigningKey, SigningKey]:
        """The old and the next key as they are now."""
        with self.around.database.reading() as session:
            rotation = rotation_named(session, self.rotation_id)
            return find_key(session, rotation.old_key_id), find_key(session, rotation.next_key_id)

    def accounts(self) -> list[tuple[Account, AccountProgress]]:
        """The registered accounts that are not excluded, each with how far it is."""
        with self.around.database.reading() as session:
            return accounts_with_progress(session, self.rotation_id)

    def metadata(self, without: str = "") -> PublishedMetadata:
        """What accounts are to hold now. Raises KeyUnusable."""
        with self.around.database.reading() as session:
            return publish_metadata(
                session, self.around.settings, self.around.now(), without=without
            )

    def outdated(self, published: PublishedMetadata, without: str = "") -> bool:
        """Whether somebody changed the keys since, so that this metadata must not be pushed."""
        with self.around.database.reading() as session:
            now = {key.id for key in published_keys(session)} - {without}
        return now != {certificate.key_id for certificate in published.certificates}

    def holds(self, account: Account, done: Registration, etag: str) -> None:
        """The account was read and holds what is published, the next certificate with it."""
        with self.entry() as (session, now):
            row = _account_row(session, self.rotation_id, account)
            row.held_at = now
            _clear_problem(row)
            self._record(session, RotationAccountHolds, account, _done(done, etag))

    def proved(self, account: Account, session_arn: str) -> None:
        """AWS opened a session for an assertion that the next key had signed."""
        with self.entry() as (session, now):
            row = _account_row(session, self.rotation_id, account)
            row.proved_at = now
            _clear_problem(row)
            self._record(session, RotationAccountProved, account, {"session": session_arn})

    def withdrawn(self, account: Account, done: Registration | None, etag: str) -> None:
        """The account was read and does not hold the certificate that goes; None: it never did."""
        with self.entry() as (session, now):
            row = _account_row(session, self.rotation_id, account)
            row.withdrawn_at, row.given_at = now, None
            _clear_problem(row)
            changes = _done(done, etag) if done else {"outcome": "never held"}
            self._record(session, RotationAccountWithdrawn, account, changes)

    def failed(self, account: Account, step: str, refusal: AccountRefusal) -> None:
        """A step could not be made. What was known of the account before stays known."""
        with self.entry() as (session, _now):
            row = _account_row(session, self.rotation_id, account)
            row.problem_kind = refusal.kind[:32]
            row.problem, row.advice = refusal.message, refusal.advice
            changes = {"step": step, "kind": refusal.kind, "reason": refusal.message}
            self._record(session, RotationAccountFailed, account, changes)

    def exclude(self, accounts: Sequence[Account]) -> None:
        """Go on without these accounts."""
        with self.entry() as (session, now):
            exclude_accounts(
                session,
                self.rotation_id,
                accounts,
                now,
                self.recorder(session),
                self.around.actor,
            )

    def recorder(self, session: Session) -> Callable[[AdminEvent], None]:
        """Appends events to the audit trail in the transaction of `session`."""
        return lambda event: self.around.audit.append(session, event, self.around.origin)

    def _record(
        self, session: Session, kind: type[AdminEvent], account: Account, changes: dict[str, Any]
    ) -> None:
        told = {"rotation": self.rotation_id, "provider": str(account.provider), **changes}
        event = kind(actor=self.around.actor, subject=account.number, changes=told)
        self.around.audit.append(session, event, self.around.origin)


def accounts_with_progress(
    session: Session, rotation_id: str
) -> list[tuple[Account, AccountProgress]]:
    """The registered accounts that are not excluded from a rotation, with how far each is."""
    progress = progress_of(session, rotation_id)
    found = [
        (account, progress.get(account.provider, AccountProgress()))
        for account in stored_accounts(session)
    ]
    return [(account, known) for account, known in found if not known.excluded]


def exclude_accounts(
    session: Session,
    rotation_id: str,
    accounts: Sequence[Account],
    now: datetime,
    record: Callable[[AdminEvent], None],
    actor: str,
) -> None:
    """Write down that a rotation goes on without these accounts."""
    for account in accounts:
        row = _account_row(session, rotation_id, account)
        if not AccountProgress.from_row(row).excluded:
            row.excluded_at = now
            changes = {
                "rotation": rotation_id,
                "alias": account.alias,
                "provider": str(account.provider),
            }
            record(RotationAccountExcluded(actor=actor, subject=account.number, changes=changes))


def _account_row(session: Session, rotation_id: str, account: Account) -> RotationAccountRow:
    provider = str(account.provider)
    row = session.get(RotationAccountRow, (rotation_id, provider))
    if row is None:
        row = RotationAccountRow(
            rotation_id=rotation_id,
            provider=provider,
            number=account.number,
            problem_kind="",
            problem="",
            advice="",
        )
        session.add(row)
    return row


def _clear_problem(row: RotationAccountRow) -> None:
    row.problem_kind = row.problem = row.advice = ""


def _done(done: Registration, etag: str) -> dict[str, Any]:
    return {
        "outcome": done.outcome.value,
        "issuers_replaced": list(done.before.other_issuers),
        "certificates_added": list(done.before.missing),
        "certificates_removed": list(done.before.extra),
        "metadata": etag,
    }
