"""A signing key as the database knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from idp.db.models import SigningKeyRow
from idp.errors import IdpError
from idp.keys.certificate import from_pem, to_base64


class KeyUnusable(IdpError):
    """A signing key can't be read or reached, or must not be used as it lies there."""

    status = 503


class CustodyDown(KeyUnusable):
    """Where the key is held does not answer now, and may by itself in a moment."""


class KeyState(StrEnum):
    """Where a key stands in its life; only the active one signs."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"
    REVOKED = "revoked"

    @property
    def published(self) -> bool:
        """Whether the key's certificate stands in our metadata."""
        return self in (KeyState.NEXT, KeyState.ACTIVE, KeyState.RETIRING)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key, its certificate and where its private half lies (`locator`, by its custody).

    `created_by` is None for keys older than the record of who made them.
    """

    id: str
    state: KeyState
    custody: str
    locator: str
    certificate: x509.Certificate
    fingerprint: str
    created_at: datetime
    activated_at: datetime | None
    created_by: str | None = None
    retiring_at: datetime | None = None
    retired_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_reason: str | None = None

    @classmethod
    def from_row(cls, row: SigningKeyRow) -> SigningKey:
        """Read a row."""
        return cls(
            row.id,
            KeyState(row.state),
            row.custody,
            row.locator,
            from_pem(row.certificate),
            row.fingerprint,
            row.created_at,
            row.activated_at,
            row.created_by,
            row.retiring_at,
            row.retired_at,
            row.revoked_at,
            row.revoked_reason,
        )

    @property
    def bits(self) -> int:
        """Length of the RSA modulus."""
        public = self.certificate.public_key()
        return public.key_size if isinstance(public, rsa.RSAPublicKey) else 0

    @property
    def algorithm(self) -> str:
        """Kind and length of the key, such as "RSA 2048"."""
        return f"RSA {self.bits}"

    @property
    def certificate_base64(self) -> str:
        """The certificate as metadata and signatures hold it."""
        return to_base64(self.certificate)

    @property
    def subject(self) -> str:
        """The certificate's subject, as RFC 4514 text."""
        return self.certificate.subject.rfc4514_string()
