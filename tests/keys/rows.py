"""Signing keys as rows alone, for tests that sign nothing."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from idp.db.models import SigningKeyRow
from idp.keys.certificate import fingerprint, self_signed, to_pem
from idp.keys.signing_key import SigningKey
from idp.keys.steps import Step
from idp.keys.store import add_key
from tests.making import memory_key


def add_row(session: Session, now: datetime, actor: str = "cli/ann") -> SigningKey:
    """A key with a certificate of its own, and no private half anywhere."""
    certificate = self_signed(memory_key().private, "test", now, timedelta(days=365))
    row = SigningKeyRow(
        id=secrets.token_hex(8),
        custody="file",
        locator="/nowhere",
        certificate=to_pem(certificate),
        fingerprint=fingerprint(certificate),
        created_at=now,
        created_by=actor,
    )
    return add_key(session, row, Step.GENERATED, now, actor)
