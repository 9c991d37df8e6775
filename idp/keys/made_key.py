"""A private key that was made just now, in whichever custody."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new private key: where it lies, and the key itself to sign its certificate with.

    For a token or a cloud `signing_key` holds no secret; it hands each signature on.
    """

    locator: str
    signing_key: rsa.RSAPrivateKey
