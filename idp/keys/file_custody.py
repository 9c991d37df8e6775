"""Custody "file": the private key in a PEM file that only we can read."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from idp.keys.signing_key import KeyUnusable, SigningKey

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
    _key: rsa.RSAPrivateKey

    def sign(self, data: bytes, digest: str) -> bytes:
        """RSASSA-PKCS1-v1_5 over `data` with hash `digest`."""
        return self._key.sign(data, _PADDING, _HASHES[digest])


def private_key_path(folder: Path, key_id: str) -> Path:
    """Where the private key of a new key goes."""
    return (folder / f"{key_id}.key").absolute()


def write_private_key(path: Path, key: rsa.RSAPrivateKey) -> None:
    """Write a new key file whole or not at all, mode 0600 from its first byte.

    Raises KeyUnusable.
    """
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise
    except OSError as problem:
        raise KeyUnusable(
            f"The key file {path} can't be written: {problem.strerror}.",
            "Set keys.folder to a place where this user may write.",
        ) from None


def open_signer(key: SigningKey) -> FileSigner:
    """Read the private key of `key`. Raises KeyUnusable, never showing what the file holds."""
    path = Path(key.locator)
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except OSError as problem:
        raise KeyUnusable(
            f"The private key of {key.id} can't be read from {path}: {problem.strerror}.",
            "Put the file back, or make a new key.",
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyUnusable(
            f"The private key {path} can be read by others (mode {stat.S_IMODE(mode):04o}).",
            f"Run: chmod 600 {path}",
        )
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnusable(f"{path} holds no private key that can be read.") from None
    if (
        not isinstance(private, rsa.RSAPrivateKey)
        or private.public_key() != key.certificate.public_key()
    ):
        raise KeyUnusable(
            f"The private key {path} does not belong to the certificate of {key.id}.",
            "Put the right file back.",
        )
    return FileSigner(key.certificate_base64, private)
