"""A private key at rest: encrypted with a key of its own, which is wrapped by another.

The private key (PKCS#8) is encrypted with AES-256-GCM and a random data key. The data key is
wrapped with a key-encryption key: one of ours, or one that KMS holds. Both are bound to the
signing key's identifier and public key, so that one envelope can't be put in another's place.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from idp.keys.signing_key import KeyUnusable

FORMAT = "idp-signing-key-1"
_NONCE = 12  # bytes, as NIST SP 800-38D 5.2.1.1 recommends


@dataclass(frozen=True, slots=True)
class Bound:
    """What an envelope is bound to: a key's identifier and SHA-256 of its SubjectPublicKeyInfo."""

    key_id: str
    public_key: str

    @classmethod
    def to(cls, key_id: str, public: rsa.RSAPublicKey) -> Bound:
        """Bind to this key."""
        spki = public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(key_id, hashlib.sha256(spki).hexdigest())

    @property
    def context(self) -> dict[str, str]:
        """As KMS takes it; it stands in CloudTrail with every use of the key."""
        return {"purpose": FORMAT, "key-id": self.key_id, "public-key-sha256": self.public_key}

    @property
    def associated_data(self) -> bytes:
        """As AES-GCM takes it."""
        return json.dumps(self.context, sort_keys=True).encode()


@dataclass(frozen=True, slots=True)
class DataKey:
    """32 random bytes, the same wrapped, and the name of the key-encryption key that did it."""

    plain: bytes
    wrapped: bytes
    by: str

    def __repr__(self) -> str:
        return f"DataKey(by={self.by!r})"


class KeyEncryption(Protocol):
    """Wraps data keys. `kind` is the word for it in keys.encryption."""

    @property
    def kind(self) -> str:
        """ "file", "environment" or "kms"."""

    def new_data_key(self, bound: Bound) -> DataKey:
        """A new data key. Raises KeyUnusable."""

    def unwrap(self, wrapped: bytes, by: str, bound: Bound) -> bytes:
        """The data key again. Raises KeyUnusable."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An encrypted private key. `kind` and `by` say which key-encryption key opens it."""

    kind: str
    by: str
    wrapped: bytes
    nonce: bytes
    ciphertext: bytes

    @classmethod
    def seal(cls, private: bytes, bound: Bound, encryption: KeyEncryption) -> Envelope:
        """Encrypt a private key. Raises KeyUnusable."""
        key = encryption.new_data_key(bound)
        nonce = secrets.token_bytes(_NONCE)
        ciphertext = AESGCM(key.plain).encrypt(nonce, private, bound.associated_data)
        return cls(encryption.kind, key.by, key.wrapped, nonce, ciphertext)

    def open(self, bound: Bound, encryption_of: Callable[[str], KeyEncryption]) -> bytes:
        """The private key. Raises KeyUnusable; what it says shows nothing of the content."""
        key = encryption_of(self.kind).unwrap(self.wrapped, self.by, bound)
        try:
            return AESGCM(key).decrypt(self.nonce, self.ciphertext, bound.associated_data)
        except (InvalidTag, ValueError):
            raise KeyUnusable(
                f"The encrypted private key of {bound.key_id} was changed, or is another key's.",
                "Put the right file back.",
            ) from None

    def to_bytes(self) -> bytes:
        """As the file holds it: JSON."""
        document = {
            "format": FORMAT,
            "encryption": self.kind,
            "key_encryption_key": self.by,
            "wrapped_key": _text(self.wrapped),
            "nonce": _text(self.nonce),
            "ciphertext": _text(self.ciphertext),
        }
        return (json.dumps(document, indent=2) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Envelope | None:
        """Read what to_bytes wrote; None if it is something else."""
        try:
            document = json.loads(content)
            if document["format"] != FORMAT:
                return None
            return cls(
                str(document["encryption"]),
                str(document["key_encryption_key"]),
                *(
                    base64.b64decode(document[name], validate=True)
                    for name in ("wrapped_key", "nonce", "ciphertext")
                ),
            )
        except (ValueError, TypeError, LookupError, RecursionError, binascii.Error):
            return None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
