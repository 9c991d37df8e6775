"""Checkpoints: a signed statement that the chain had this row at this time.

Kept away from the database, it shows when somebody with all rights there wrote the chain anew.
What is signed begins with a line of its own, so it can never pass for the canonical SignedInfo of
a SAML message, nor that for a checkpoint.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from idp.audit.chain import Point
from idp.errors import IdpError

TYPE = "idp audit checkpoint v1"
ALGORITHM = "rsa-sha256"
LARGEST_FILE = 64 * 1024  # bytes


class CheckpointRefused(IdpError):
    """A checkpoint can't be read, or its signature does not hold."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Row `seq` of the trail of `entity_id` had hash `hash` at `time`; the key by fingerprint."""

    seq: int
    hash: str
    time: str
    entity_id: str
    key: str

    @property
    def point(self) -> Point:
        """The row that it speaks of."""
        return Point(self.seq, self.hash)

    def signed_text(self) -> bytes:
        """The bytes to sign: the type on a line, then JSON with sorted keys and no spaces."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return f"{TYPE}\n{text}".encode("ascii")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A statement, the certificate of the key that signed it (base64 DER) and the signature."""

    statement: Statement
    certificate: str
    signature: bytes

    @classmethod
    def make(
        cls, statement: Statement, certificate: str, sign: Callable[[bytes], bytes]
    ) -> Checkpoint:
        """Sign a statement; `sign` makes RSASSA-PKCS1-v1_5 with SHA-256."""
        return cls(statement, certificate, sign(statement.signed_text()))

    def to_json(self) -> str:
        """The checkpoint's file."""
        document = {
            "type": TYPE,
            "statement": asdict(self.statement),
            "algorithm": ALGORITHM,
            "certificate": self.certificate,
            "signature": base64.b64encode(self.signature).decode("ascii"),
        }
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def from_json(cls, content: bytes) -> Checkpoint:
        """Read a checkpoint's file. Raises CheckpointRefused."""
        try:
            document = json.loads(content[:LARGEST_FILE])
            if document["type"] != TYPE or document["algorithm"] != ALGORITHM:
                raise CheckpointRefused(f"This is no {TYPE!r} signed with {ALGORITHM}.")
            return cls(
                _statement(document["statement"]),
                document["certificate"],
                base64.b64decode(document["signature"], validate=True),
            )
        except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
            raise CheckpointRefused(
                "The file is not a checkpoint.", "Make one with: idp audit checkpoint --out FILE"
            ) from None

    def check_signature(self, certificate: x509.Certificate) -> None:
        """Raise CheckpointRefused unless the key of `certificate` signed the statement."""
        public = certificate.public_key()
        try:
            if not isinstance(public, rsa.RSAPublicKey):
                raise CheckpointRefused("The certificate's key is not RSA.")
            text = self.statement.signed_text()
            public.verify(self.signature, text, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise CheckpointRefused(
                "The checkpoint's signature does not hold: it was changed, or another key made it.",
                "Take the checkpoint and the certificate from where they were kept safe.",
            ) from None


def _statement(given: dict[str, Any]) -> Statement:
    statement = Statement(**given)
    texts = (statement.hash, statement.time, statement.entity_id, statement.key)
    if type(statement.seq) is not int or not all(isinstance(text, str) for text in texts):
        raise TypeError
    return statement
