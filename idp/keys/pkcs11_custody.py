"""Custody "pkcs11": the private key is made in a token (an HSM) and can't leave it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from cryptography.hazmat.primitives.asymmetric import rsa

from idp.keys.delegated_key import DelegatedKey, verified
from idp.keys.made_key import MadeKey
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.keys.token_session import token_session
from idp.settings import Pkcs11Settings, Settings

_PROBE = b"idp: does the token answer?"
_LOCATOR = re.compile(r"pkcs11:token=(?P<token>[^;?]*);id=(?P<name>(?:%[0-9a-f]{2})+);type=private")


@dataclass(frozen=True, slots=True)
class Pkcs11Signer:
    """Signs in the token; holds no session, which the process has one of."""

    certificate: str
    _public: rsa.RSAPublicKey
    _name: bytes
    _settings: Pkcs11Settings

    def sign(self, data: bytes, digest: str) -> bytes:
        """RSASSA-PKCS1-v1_5 over `data` with hash `digest`. Raises KeyUnusable, CustodyDown."""
        signature = token_session(self._settings).sign(self._name, self._public, data, digest)
        where = f"The token {self._settings.token}"
        return verified(signature, self._public, data, digest, where)

    def probe(self) -> None:
        """Raise KeyUnusable unless the token would sign now; it signs something to see."""
        self.sign(_PROBE, "sha256")


def make_key(settings: Settings, key_id: str, bits: int) -> MadeKey:
    """Make an RSA key in the token; its CKA_ID is `key_id`. Raises KeyUnusable, CustodyDown."""
    own = settings.keys.pkcs11
    name = bytes.fromhex(key_id)
    session = token_session(own)
    public = session.generate(name, f"idp {key_id}", bits)
    signer = Pkcs11Signer("", public, name, own)
    return MadeKey(locator(own.token, name), DelegatedKey(public, signer.sign))


def open_signer(key: SigningKey, settings: Settings) -> Pkcs11Signer:
    """A Signer for `key`, which has signed once to prove itself.

    Raises KeyUnusable, CustodyDown.
    """
    own = settings.keys.pkcs11
    name = _name_in(key.locator, own)
    public = key.certificate.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise KeyUnusable(f"The certificate of {key.id} is not of an RSA key.")
    signer = Pkcs11Signer(key.certificate_base64, public, name, own)
    signer.probe()
    return signer


def forget_key(found: str, settings: Settings) -> None:
    """Destroy the key at this locator, both halves. Raises KeyUnusable, CustodyDown."""
    own = settings.keys.pkcs11
    token_session(own).destroy(_name_in(found, own))


def locator(token: str, name: bytes) -> str:
    """Where a key is, as a PKCS#11 URI (RFC 7512)."""
    encoded = "".join(f"%{byte:02x}" for byte in name)
    return f"pkcs11:token={quote(token, safe='')};id={encoded};type=private"


def _name_in(found: str, settings: Pkcs11Settings) -> bytes:
    parts = _LOCATOR.fullmatch(found)
    if parts is None:
        raise KeyUnusable(f"{found[:200]!r} says nowhere in a token where a key could be.")
    token = unquote_to_bytes(parts["token"]).decode("utf-8", "replace")
    if settings.module is not None and token != settings.token:
        raise KeyUnusable(
            f"The key is in the token {token}, and keys.pkcs11.token names {settings.token}.",
            "Name the token that has the active key; a key moves to another token by rotation "
            "through another custody.",
        )
    return unquote_to_bytes(parts["name"])
