"""Metadata documents with test keys in them."""

from __future__ import annotations

from collections.abc import Sequence

from idp.saml.metadata import IdentityProviderDescription, build_metadata
from tests.making import memory_key

OURS = "https://idp.example.com/metadata"
OTHERS = "https://other.example.net/metadata"


def metadata(*keys: int, issuer: str = OURS) -> bytes:
    """Metadata with the certificates of these test keys."""
    return metadata_of([memory_key(number=number).certificate for number in keys], issuer)


def metadata_of(certificates: Sequence[str], issuer: str = OURS) -> bytes:
    return build_metadata(
        IdentityProviderDescription(
            issuer, "https://idp.example.com/sso", "Example", OURS, certificates
        )
    )
