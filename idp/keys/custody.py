"""Where private keys are kept: one seam for files, tokens and clouds.

Everybody who makes or uses a signing key comes through here, so that only this file knows which
custodies there are.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from idp.errors import IdpError
from idp.keys import file_custody, kms_custody, pkcs11_custody
from idp.keys.kms_connection import close_connections
from idp.keys.made_key import MadeKey
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.keys.token_session import close_sessions
from idp.saml.signature import Signer
from idp.settings import Settings

FILE = "file"
PKCS11 = "pkcs11"
KMS = "kms"
CUSTODIES = (FILE, PKCS11, KMS)


class UnknownCustody(IdpError):
    """A custody is named that does not exist, or that can't do what was asked."""


def make_key(settings: Settings, custody: str, key_id: str, bits: int) -> MadeKey:
    """Make an RSA key of `bits` bits in `custody`. A token or cloud may take its time for it.

    Raises KeyUnusable, UnknownCustody.
    """
    if custody == FILE:
        return keep_key(settings, key_id, rsa.generate_private_key(65537, bits))
    if custody == PKCS11:
        return pkcs11_custody.make_key(settings, key_id, bits)
    if custody == KMS:
        return kms_custody.make_key(settings, key_id, bits)
    raise _unknown(custody)


def keep_key(settings: Settings, key_id: str, private: rsa.RSAPrivateKey) -> MadeKey:
    """Take a key that was made elsewhere into custody "file". Raises KeyUnusable."""
    path = file_custody.private_key_path(settings.keys.folder, key_id)
    file_custody.write_private_key(path, key_id, private, settings)
    return MadeKey(str(path), private)


def forget_key(custody: str, locator: str, settings: Settings) -> None:
    """Remove the private key of a key that was never used. Raises KeyUnusable, OSError."""
    if custody == PKCS11:
        pkcs11_custody.forget_key(locator, settings)
    elif custody == KMS:
        kms_custody.forget_key(locator, settings)
    else:
        Path(locator).unlink(missing_ok=True)


def how_to_forget(custody: str, locator: str) -> str:
    """What somebody does by hand instead of forget_key."""
    if custody == PKCS11:
        return f"Destroy both halves of {locator} with the HSM's own tool."
    if custody == KMS:
        return kms_custody.how_to_forget(locator)
    return f"Remove the file: rm {shlex.quote(locator)}"


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
