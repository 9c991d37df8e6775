"""Custody "file": the private key in a file that only we can read, encrypted at rest."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from idp.keys.encryption_at_rest import NONE, opened, sealed
from idp.keys.envelope import Bound, Envelope
from idp.keys.private_file import read_private, write_new
from idp.keys.private_file import replace as replace_file
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.settings import Settings

WHAT = "The private key"
# As private_key_path has it, or a draft of that.
_NAME = re.compile(r"[0-9a-f]{16}\.key|\.[0-9a-f]{16}\.key\.[0-9a-f]{12}")
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_PADDING = padding.PKCS1v15()


@dataclass(frozen=True, slots=True)
class FileSigner:
    """Signs with a private key held in memory."""

    certificate: str
    _key: rsa.RSAPrivateKey = field(repr=False)

    def sign(self, data: bytes, digest: str) -> bytes:
        """RSASSA-PKCS1-v1_5 over `data` with hash `digest`."""
        return self._key.sign(data, _PADDING, _HASHES[digest])


@dataclass(frozen=True, slots=True)
class AtRest:
    """How a key file lies there: `kind` as in keys.encryption, and the key-encryption key's name.

    `by` is empty for a file that is not encrypted.
    """

    kind: str
    by: str


def private_key_path(folder: Path, key_id: str) -> Path:
    """Where the private key of a new key goes."""
    return (folder / f"{key_id}.key").absolute()


def unknown_key_files(folder: Path, known: Collection[Path], before: datetime) -> list[Path]:
    """Key files in `folder` that are none of `known`, nor of the time after `before`.

    Also what was left of writing one. A folder that can't be read holds none.
    """
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if _NAME.fullmatch(path.name)
            and path not in known
            and path.stat().st_mtime < before.timestamp()
        )
    except OSError:
        return []


def write_private_key(
    path: Path, key_id: str, private: rsa.RSAPrivateKey, settings: Settings
) -> None:
    """Write a new key file whole or not at all, mode 0600 from its first byte.

    Raises KeyUnusable.
    """
    write_new(path, _content(key_id, private, settings), "The key file")


def open_signer(key: SigningKey, settings: Settings) -> FileSigner:
    """Read the private key of `key`. Raises KeyUnusable, never showing what the file holds."""
    return FileSigner(key.certificate_base64, read_private_key(key, settings))


def read_private_key(key: SigningKey, settings: Settings) -> rsa.RSAPrivateKey:
    """The private key of `key`. Raises KeyUnusable, never showing what the file holds."""
    path = Path(key.locator)
    content = read_private(path, WHAT)
    try:
        return _private_key(content, key, settings)
    except KeyUnusable:
        # Since it was read, the file may have been encrypted anew, and its old key-encryption key
        # be gone.
        again = read_private(path, WHAT)
        if again == content:
            raise
        return _private_key(again, key, settings)


def _private_key(content: bytes, key: SigningKey, settings: Settings) -> rsa.RSAPrivateKey:
    path = Path(key.locator)
    public = key.certificate.public_key()
    private: object = None
    try:
        envelope = Envelope.from_bytes(content)
        if envelope is None:
            private = serialization.load_pem_private_key(content, password=None)
        elif isinstance(public, rsa.RSAPublicKey):
            plain = opened(envelope, Bound.to(key.id, public), settings)
            private = serialization.load_der_private_key(plain, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnusable(
            f"{path} holds no private key that can be read.", "Put the right file back."
        ) from None
    if not isinstance(private, rsa.RSAPrivateKey) or private.public_key() != public:
        raise KeyUnusable(
            f"The private key {path} does not belong to the certificate of {key.id}.",
            "Put the right file back.",
        )
    return private


def at_rest(key: SigningKey) -> AtRest:
    """How the file of `key` is encrypted. Raises KeyUnusable if it can't be read."""
    envelope = Envelope.from_bytes(read_private(Path(key.locator), WHAT))
    return AtRest(NONE, "") if envelope is None else AtRest(envelope.kind, envelope.by)


def encrypt_again(key: SigningKey, settings: Settings) -> None:
    """Put a file in the place of the key's, encrypted as the settings say. Raises KeyUnusable."""
    private = read_private_key(key, settings)
    replace_file(Path(key.locator), _content(key.id, private, settings), "The key file")


def _content(key_id: str, private: rsa.RSAPrivateKey, settings: Settings) -> bytes:
    if settings.keys.encryption == NONE:
        return private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    plain = private.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return sealed(plain, Bound.to(key_id, private.public_key()), settings).to_bytes()
