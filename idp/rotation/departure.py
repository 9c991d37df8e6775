"""A SAML provider leaves the list of accounts: its account is removed, or gets another provider."""

from __future__ import annotations

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from idp.aws.arn import ProviderArn
from idp.db.models import RotationAccountRow, RotationRow


def note_departure(session: Session, provider: ProviderArn) -> None:
    """Say so to the rotation under way, in the transaction in which the list is changed.

    If the provider comes back, it is looked at and proved anew: meanwhile nobody kept it as it was.
    That it was given the next certificate stays on record.
    """
    row = RotationAccountRow
    under_way = select(RotationRow.id).where(RotationRow.open == 1).scalar_subquery()
    given = case(
        (row.withdrawn_at.is_not(None), None), else_=func.coalesce(row.held_at, row.given_at)
    )
    session.execute(
        update(row)
        .where(row.rotation_id == under_way, row.provider == str(provider))
        .values(given_at=given, held_at=None, proved_at=None, withdrawn_at=None, excluded_at=None)
    )
