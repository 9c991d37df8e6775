"""A SAML provider leaves the list of accounts: its account is removed, or gets another provider."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from idp.aws.arn import ProviderArn
from idp.db.models import RotationAccountRow, RotationRow


def note_departure(session: Session, provider: ProviderArn, now: datetime) -> None:
    """Say so to the rotation under way, in the transaction in which the list is changed.

    If the provider comes back, it is looked at and proved anew: meanwhile nobody kept it as it was.
    """
    under_way = select(RotationRow.id).where(RotationRow.open == 1).scalar_subquery()
    session.execute(
        update(RotationAccountRow)
        .where(
            RotationAccountRow.rotation_id == under_way,
            RotationAccountRow.provider == str(provider),
        )
        .values(left_at=now)
    )
