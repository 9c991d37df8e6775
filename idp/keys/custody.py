"""Where private keys are kept: one seam for files, tokens and clouds.

Everybody who makes or uses a signing key comes through here, so that only this file knows which
custodies there are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy.orm import Session

from idp.errors import IdpError
from idp.keys import file_custody, kms_custody, pkcs11_custody
from idp.keys.kms_connection import close_connections
from idp.keys.made_key import MadeKey
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.keys.token_session import close_sessions
from idp.keys.uncommitted import unless_committed
from idp.saml.signature import Signer
from idp.settings import Settings

FILE = "file"
PKCS11 = "pkcs11"
KMS = "kms"
CUSTODIES = (FILE, PKCS11, KMS)

log = logging.getLogger("idp.keys")


class UnknownCustody(IdpError):
    """A custody is named that does not exist, or that can't do what was asked."""


def make_key(session: Session, settings: Settings, custody: str, key_id: str, bits: int) -> MadeKey:
    """Make an RSA key of `bits` bits in `custody`; it goes again if `session` is not committed.

    The key is made before the session's transaction begins to hold locks. Raises KeyUnusable,
    UnknownCustody.
    """
    if custody == FILE:
        private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        return keep_key(session, settings, key_id, private)
    if custody == PKCS11:
        made = pkcs11_custody.make_key(settings, key_id, bits)
    elif custody == KMS:
        made = kms_custody.make_key(settings, key_id, bits)
    else:
        raise _unknown(custody)
    _stays_if_committed(session, partial(_give_up, custody, made.locator, settings))
    return made


def keep_key(
    session: Session, settings: Settings, key_id: str, private: rsa.RSAPrivateKey
) -> MadeKey:
    """Take a key that was made elsewhere into custody "file". Raises KeyUnusable."""
    path = file_custody.private_key_path(settings.keys.folder, key_id)
    file_custody.write_private_key(path, key_id, private, settings)
    _stays_if_committed(session, lambda: path.unlink(missing_ok=True))
    return MadeKey(str(path), private)


def open_signer(key: SigningKey, settings: Settings) -> Signer:
    """A Signer for `key`. Raises KeyUnusable, never showing anything of the private key."""
    if key.custody == FILE:
        return file_custody.open_signer(key, settings)
    if key.custody == PKCS11:
        return pkcs11_custody.open_signer(key, settings)
    if key.custody == KMS:
        return kms_custody.open_signer(key, settings)
    raise KeyUnusable(
        f"Key {key.id} is in custody {key.custody!r}, which this version does not know.",
        "Use the version that made the key, or make another one.",
    )


def probe(signer: Signer) -> None:
    """Raise KeyUnusable unless `signer` could sign now. A key in memory always can."""
    if isinstance(signer, pkcs11_custody.Pkcs11Signer | kms_custody.KmsSigner):
        signer.probe()


def leave() -> None:
    """End this process's session with the token and connections to KMS; signing begins new ones.

    A process that forks does so before: workers must not share them.
    """
    close_sessions()
    close_connections()


def _stays_if_committed(session: Session, undo: Callable[[], object]) -> None:
    try:
        unless_committed(session, undo)
    except BaseException:  # the database is away, so there is no transaction to wait for
        undo()
        raise


def _give_up(custody: str, locator: str, settings: Settings) -> None:
    """Remove a key whose row was not committed; if that fails, the log says what is left over."""
    forget = pkcs11_custody.forget_key if custody == PKCS11 else kms_custody.forget_key
    try:
        forget(locator, settings)
    except KeyUnusable as problem:
        log.warning("an unused key is left over in %s: %s (%s)", custody, locator, problem.message)


def read_private_key(key: SigningKey, settings: Settings) -> rsa.RSAPrivateKey:
    """The private key itself. Raises UnknownCustody for any but files, and KeyUnusable."""
    if key.custody != FILE:
        raise UnknownCustody(
            f"Key {key.id} is in custody {key.custody!r}, and its private half never leaves that.",
            "Move to another custody by rotation: idp certs rotate",
        )
    return file_custody.read_private_key(key, settings)


def _unknown(custody: str) -> UnknownCustody:
    return UnknownCustody(
        f"There is no custody {custody!r} for signing keys.",
        f"Name one of: {', '.join(CUSTODIES)}.",
    )
