"""The certificate and key with which we speak TLS ourselves, checked before they are used."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from idp.errors import IdpError


class TlsUnusable(IdpError):
    """server.tls_certificate or server.tls_key can't be used as they lie there."""


def require_usable_pair(certificate: Path, key: Path) -> None:
    """Raise TlsUnusable unless both can be read, the key by us alone, and they belong together."""
    chain = _read(certificate, "server.tls_certificate")
    private = _read(key, "server.tls_key")
    mode = stat.S_IMODE(key.stat().st_mode)
    if mode & 0o007:
        raise TlsUnusable(
            f"Everybody on this machine can read the TLS key {key} (mode {mode:04o}).",
            f"Run: chmod o= {key}",
        )
    try:
        own = serialization.load_pem_private_key(private, password=None)
    except (ValueError, TypeError):
        raise TlsUnusable(
            f"{key} holds no private key in PEM form without a password.",
            "Give server.tls_key such a file.",
        ) from None
    try:
        first = x509.load_pem_x509_certificates(chain)[0]
    except ValueError:
        raise TlsUnusable(
            f"{certificate} holds no certificate in PEM form.",
            "Give server.tls_certificate the server's certificate, its issuers after it.",
        ) from None
    if own.public_key() != first.public_key():
        raise TlsUnusable(
            f"The TLS key {key} does not belong to the first certificate in {certificate}.",
            "Put the server's own certificate first, and its issuers after it.",
        )
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as problem:
        raise TlsUnusable(f"{certificate} and {key} can't be used: {problem.reason}.") from None


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise TlsUnusable(
            f"{setting} can't be read from {path}: {problem.strerror}.",
            "Name a file that this user may read.",
        ) from None
