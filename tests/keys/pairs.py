"""Keys and certificates as people bring them, good and bad."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

PASSPHRASE = b"open sesame"
Private = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey | ed25519.Ed25519PrivateKey
)


def certificate(
    key: Private, now: datetime, *, begins: int = -1, ends: int = 365
) -> x509.Certificate:
    """Self-signed; valid from `begins` to `ends`, in days from now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "from elsewhere")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .sign(key, hashes.SHA256())
    )


def pem(key: Private, passphrase: bytes | None = None) -> bytes:
    """PKCS#8 in PEM."""
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase:
        encryption = BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def traditional(key: Private, passphrase: bytes) -> bytes:
    """OpenSSL's older form in PEM, with "Proc-Type: 4,ENCRYPTED"."""
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(passphrase)
    )


def p12(key: rsa.RSAPrivateKey, found: x509.Certificate, passphrase: bytes | None) -> bytes:
    """PKCS#12 with both."""
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase:
        encryption = BestAvailableEncryption(passphrase)
    return pkcs12.serialize_key_and_certificates(b"idp", key, found, None, encryption)


def crt(found: x509.Certificate) -> bytes:
    """The certificate in PEM."""
    return found.public_bytes(Encoding.PEM)
