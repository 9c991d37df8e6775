"""Signing keys in the database: made, listed, the active one found."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select
from sqlalchemy.orm import Session

from idp.db.models import SigningKeyRow
from idp.keys.certificate import fingerprint, self_signed, to_pem
from idp.keys.file_custody import KeyUnusable, private_key_path, write_private_key
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.uncommitted_file import remove_unless_committed


def generate_key(
    session: Session, folder: Path, *, bits: int, common_name: str, now: datetime, days: int
) -> SigningKey:
    """Make an RSA key in a file, with a certificate for `days` days.

    It becomes the active key if there is none, else the next one. The file goes away again if the
    session's transaction is not committed. Raises KeyUnusable.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    certificate = self_signed(key, common_name, now, timedelta(days=days))
    has_active = session.scalar(
        select(SigningKeyRow.id).where(SigningKeyRow.state == KeyState.ACTIVE)
    )
    key_id = secrets.token_hex(8)
    path = private_key_path(folder, key_id)
    row = SigningKeyRow(
        id=key_id,
        state=KeyState.NEXT if has_active else KeyState.ACTIVE,
        custody="file",
        locator=str(path),
        certificate=to_pem(certificate),
        fingerprint=fingerprint(certificate),
        created_at=now,
        activated_at=None if has_active else now,
    )
    session.add(row)
    session.flush()
    write_private_key(path, key)
    remove_unless_committed(session, path)
    return SigningKey.from_row(row)


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
