"""Things that tests make: keys, certificates, statements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from sqlalchemy.orm import Session

from idp.keys.certificate import self_signed, to_base64
from idp.keys.new_key import new_key
from idp.keys.signing_key import SigningKey
from idp.saml.response import NAME_ID_FORMATS, Attribute, NameId, Statement
from idp.settings import Settings

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ROLE_ATTRIBUTE = "https://aws.amazon.com/SAML/Attributes/Role"


@dataclass(frozen=True)
class MemoryKey:
    """A key in memory; a Signer."""

    private: rsa.RSAPrivateKey
    x509: x509.Certificate

    @property
    def certificate(self) -> str:
        return to_base64(self.x509)

    def sign(self, data: bytes, digest: str) -> bytes:
        hashing = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
        return self.private.sign(data, padding.PKCS1v15(), hashing[digest])


@cache
def memory_key(bits: int = 2048, number: int = 1) -> MemoryKey:
    """A key that is made once in a test run; another `number` is another key."""
    private = rsa.generate_private_key(65537, bits)
    certificate = self_signed(private, f"test key {number}", NOON, timedelta(days=365))
    return MemoryKey(private, certificate)


def generate_key(
    session: Session,
    settings: Settings,
    *,
    now: datetime,
    custody: str = "file",
    actor: str = "",
    days: int | None = None,
) -> SigningKey:
    """A signing key of any custody in a transaction of the test's, which is to be committed."""
    new = new_key(settings, now=now, custody=custody, actor=actor, days=days)
    return new.write_down(session)


def statement(
    *attributes: Attribute, name_id: str = "7f3b", issued: datetime = NOON, audience: str = ""
) -> Statement:
    """What a good assertion for AWS says, with these attributes in place of a role."""
    return Statement(
        issuer="https://idp.example.com/metadata",
        recipient="https://signin.aws.amazon.com/saml",
        audience=audience or "urn:amazon:webservices",
        name_id=NameId(name_id, NAME_ID_FORMATS["persistent"]),
        attributes=attributes or (Attribute(ROLE_ATTRIBUTE, ("role,provider",)),),
        authn_instant=issued - timedelta(minutes=3),
        authn_context="urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
        session_index="_session",
        issue_instant=issued,
        lifetime=timedelta(seconds=300),
        clock_skew=timedelta(seconds=60),
    )
