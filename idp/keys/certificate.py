"""Self-signed certificates for signing keys, and what can be read off a certificate."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


def self_signed(
    key: rsa.RSAPrivateKey, common_name: str, now: datetime, valid_for: timedelta
) -> x509.Certificate:
    """A certificate for a signing key: X.509 v3, SHA-256, usage digitalSignature, no CA.

    It begins a day before `now`, so that a service provider whose clock is slow takes it.
    Service providers pin the certificate itself, so nobody but us needs to have signed it.
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + valid_for)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER form, in lower-case hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def to_base64(certificate: x509.Certificate) -> str:
    """The DER form in base64 without line breaks, as ds:X509Certificate holds it."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    return base64.b64encode(der).decode("ascii")


def to_pem(certificate: x509.Certificate) -> str:
    """The PEM form."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def from_pem(text: str) -> x509.Certificate:
    """Read a certificate that to_pem wrote."""
    return x509.load_pem_x509_certificate(text.encode("ascii"))
