"""A signing key comes into being: first the private key, wherever it is kept, then its row.

A token or KMS may take long to make a key and to sign its certificate. No transaction is open
meanwhile, for on SQLite nobody could sign in: every sign-in writes to the audit trail. A key that
is made and then not written down goes again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.db.models import SigningKeyRow
from idp.keys import custody as custodies
from idp.keys.certificate import fingerprint, self_signed, to_pem
from idp.keys.custody import FILE
from idp.keys.encryption_lock import sharing
from idp.keys.left_over import take_away
from idp.keys.made_key import MadeKey
from idp.keys.reencryption import require_key_encryption_key
from idp.keys.signing_key import SigningKey
from idp.keys.steps import Step
from idp.keys.store import add_key, all_keys
from idp.keys.uncommitted import Fate, fate_of
from idp.settings import Settings


class NewKey:
    """A key that is made, with its certificate, and of which no row tells yet."""

    def __init__(self, row: SigningKeyRow, step: Step) -> None:
        self.row = row
        self._step = step
        self._fate: Fate | None = None

    def write_down(self, session: Session) -> SigningKey:
        """Add its row in the caller's transaction: active if there is no active key, else next.

        Raises KeyStepRefused.
        """
        row, self._fate = self.row, fate_of(session)
        return add_key(session, row, self._step, row.created_at, row.created_by or "")

    @property
    def kept(self) -> bool:
        """Whether its row was committed, or may have been."""
        if self._fate is not None and not self._fate.ended:
            raise RuntimeError("a key is written down in a transaction that ends before its block")
        return self._fate is not None and self._fate.kept


@contextmanager
def generated_key(
    database: Database,
    settings: Settings,
    *,
    now: datetime,
    custody: str = FILE,
    actor: str = "",
    days: int | None = None,
) -> Iterator[NewKey]:
    """Make an RSA key in `custody` with a certificate for `days` days, else as the settings say.

    The block writes it down, in a transaction of its own; if it does not, the key goes again.
    Raises KeyUnusable, UnknownCustody, EncryptionBusy, and KeyLeftOver if the key can't go.
    """
    with _files_kept_still(database, settings, custody):
        new = new_key(settings, now=now, custody=custody, actor=actor, days=days)
        with _gone_unless_kept(new, settings):
            yield new


@contextmanager
def given_key(
    database: Database,
    settings: Settings,
    private: rsa.RSAPrivateKey,
    certificate: x509.Certificate,
    now: datetime,
    actor: str,
) -> Iterator[NewKey]:
    """Take a key that was made elsewhere into custody "file"; the rest is as for generated_key."""
    key_id = secrets.token_hex(8)
    with _files_kept_still(database, settings, FILE):
        made = custodies.keep_key(settings, key_id, private)
        new = NewKey(_row(key_id, FILE, made, certificate, now, actor), Step.IMPORTED)
        with _gone_unless_kept(new, settings):
            yield new


def new_key(
    settings: Settings,
    *,
    now: datetime,
    custody: str = FILE,
    actor: str = "",
    days: int | None = None,
) -> NewKey:
    """As generated_key, for a caller who sees to it that the key is written down."""
    key_id = secrets.token_hex(8)
    made = custodies.make_key(settings, custody, key_id, settings.keys.rsa_bits)
    valid_for = timedelta(days=settings.keys.certificate_days if days is None else days)
    try:
        certificate = self_signed(made.signing_key, settings.organization, now, valid_for)
    except BaseException as problem:
        _forget(custody, made.locator, settings, problem)
        raise
    return NewKey(_row(key_id, custody, made, certificate, now, actor), Step.GENERATED)


@contextmanager
def _files_kept_still(database: Database, settings: Settings, custody: str) -> Iterator[None]:
    """Let nobody take away the key-encryption key that a new key file is encrypted with."""
    if custody != FILE or settings.keys.encryption != "file":
        yield
        return
    with sharing(database, settings):
        with database.reading() as session:
            keys = all_keys(session)
        require_key_encryption_key(settings, keys)
        yield


@contextmanager
def _gone_unless_kept(new: NewKey, settings: Settings) -> Iterator[None]:
    try:
        yield
    except BaseException as problem:
        if not new.kept:
            _forget(new.row.custody, new.row.locator, settings, problem)
        raise
    if not new.kept:
        _forget(new.row.custody, new.row.locator, settings, None)


def _forget(custody: str, locator: str, settings: Settings, because: BaseException | None) -> None:
    take_away(
        lambda: custodies.forget_key(custody, locator, settings),
        f"{locator} in custody {custody}",
        custodies.how_to_forget(custody, locator),
        because,
    )


def _row(
    key_id: str,
    custody: str,
    made: MadeKey,
    certificate: x509.Certificate,
    now: datetime,
    actor: str,
) -> SigningKeyRow:
    return SigningKeyRow(
        id=key_id,
        custody=custody,
        locator=made.locator,
        certificate=to_pem(certificate),
        fingerprint=fingerprint(certificate),
        created_at=now,
        created_by=actor or None,
    )
