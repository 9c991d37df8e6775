"""An account that a rotation went on without, registered by hand: it holds the certificate now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from idp.db.models import RotationAccountRow
from idp.entitlements.account import Account
from idp.rotation.record import Phase, open_rotation


def take_back(session: Session, registered: Sequence[Account], now: datetime) -> None:
    """Tell the open rotation which accounts were just brought to our metadata and read back.

    Once its new key signs, those that were excluded are accounts like the others again, so that
    the old certificate leaves them, too. Before that they stay excluded: the key may not sign
    sooner for it, nor later.
    """
    rotation = open_rotation(session)
    if rotation is None:
        return
    rows = session.scalars(
        select(RotationAccountRow).where(
            RotationAccountRow.rotation_id == rotation.id,
            RotationAccountRow.provider.in_([str(account.provider) for account in registered]),
            RotationAccountRow.excluded_at.is_not(None),
        )
    )
    for row in rows:
        row.held_at = now
        row.problem_kind = row.problem = row.advice = ""
        if rotation.phase in (Phase.OVERLAP, Phase.WITHDRAWING):
            row.excluded_at = None
