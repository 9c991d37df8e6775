"""A rotation as the database knows it: its phase, its keys, and how far each account is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from idp.aws.account_refusal import AccountRefusal
from idp.aws.arn import ProviderArn
from idp.db.models import RotationAccountRow, RotationRow
from idp.errors import IdpError


class RotationRefused(IdpError):
    """A rotation can't begin, go on or be undone as asked."""

    status = 409


class Phase(StrEnum):
    """Where a rotation stands.

    DISTRIBUTING: accounts take the next certificate, the old key signs. OVERLAP: the new key
    signs, the old one is still published. WITHDRAWING: accounts lose the old certificate.
    ABORTING: accounts lose the next certificate, the old key signs. DONE and ABORTED are ends.
    """

    DISTRIBUTING = "distributing"
    OVERLAP = "overlap"
    WITHDRAWING = "withdrawing"
    ABORTING = "aborting"
    DONE = "done"
    ABORTED = "aborted"

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self in (Phase.DONE, Phase.ABORTED)


@dataclass(frozen=True, slots=True)
class Rotation:
    """One rotation. `verified_at`: when all accounts were seen to hold the new key's certificate
    once more after it had begun to sign.
    """

    id: str
    phase: Phase
    old_key_id: str
    next_key_id: str
    overlap: timedelta
    started_at: datetime
    started_by: str
    activated_at: datetime | None
    overlap_until: datetime | None
    verified_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def from_row(cls, row: RotationRow) -> Rotation:
        """Read a row."""
        return cls(
            row.id,
            Phase(row.phase),
            row.old_key_id,
            row.next_key_id,
            timedelta(seconds=row.overlap_seconds),
            row.started_at,
            row.started_by,
            row.activated_at,
            row.overlap_until,
            row.verified_at,
            row.ended_at,
        )


@dataclass(frozen=True, slots=True)
class AccountProgress:
    """How far an account's provider is: when it was last seen to hold the next certificate, when
    that was proved with the probe role, when the certificate that goes was seen to be gone.

    All of it since the provider last came to the list of accounts. `given_at` is when it was last
    seen to hold the next certificate at all; None once the certificate that goes is gone there.
    `problem` is why the last try failed; None if it did not.
    """

    held_at: datetime | None = None
    proved_at: datetime | None = None
    withdrawn_at: datetime | None = None
    excluded_at: datetime | None = None
    problem: AccountRefusal | None = None
    given_at: datetime | None = None

    @classmethod
    def from_row(cls, row: RotationAccountRow) -> AccountProgress:
        """Read a row."""
        problem = AccountRefusal(row.problem_kind, row.problem, row.advice)
        return cls(
            row.held_at,
            row.proved_at,
            row.withdrawn_at,
            row.excluded_at,
            problem if row.problem_kind else None,
            None if row.withdrawn_at else row.held_at or row.given_at,
        )

    @property
    def excluded(self) -> bool:
        """Whether the rotation goes on without this account."""
        return self.excluded_at is not None


def open_rotation(session: Session) -> Rotation | None:
    """The rotation that has not ended, if there is one."""
    row = session.scalar(select(RotationRow).where(RotationRow.open == 1))
    return None if row is None else Rotation.from_row(row)


def latest_rotation(session: Session) -> Rotation | None:
    """The rotation that was begun last, ended or not."""
    row = session.scalar(select(RotationRow).order_by(RotationRow.started_at.desc()).limit(1))
    return None if row is None else Rotation.from_row(row)


def rotation_named(session: Session, rotation_id: str) -> Rotation:
    """The rotation of that identifier, as it is now. Raises RotationRefused."""
    row = session.get(RotationRow, rotation_id, populate_existing=True)
    if row is None:
        raise RotationRefused(f"There is no rotation {rotation_id[:64]!r}.")
    return Rotation.from_row(row)


def progress_of(session: Session, rotation_id: str) -> dict[ProviderArn, AccountProgress]:
    """How far a rotation is, by provider; one that was never tried is not there.

    By provider and not by account number, for the provider of an account can be changed meanwhile,
    and the one that comes holds nothing of what the one before it held.
    """
    rows = session.scalars(
        select(RotationAccountRow)
        .where(RotationAccountRow.rotation_id == rotation_id)
        .execution_options(populate_existing=True)
    )
    return {ProviderArn.parse(row.provider): AccountProgress.from_row(row) for row in rows}
