"""Our metadata as it stands now: all published keys, in the document that IAM parses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from lxml import etree
from sqlalchemy.orm import Session

from idp.keys.custody import open_signer
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.keys.store import active_key, published_keys
from idp.saml.metadata import IdentityProviderDescription, build_metadata
from idp.saml.signature import ALGORITHMS
from idp.settings import Settings


@dataclass(frozen=True, slots=True)
class PublishedCertificate:
    """One certificate of the metadata, as a page or a terminal shows it."""

    state: str
    fingerprint: str
    subject: str
    not_before: datetime
    not_after: datetime
    algorithm: str
    key_id: str

    @classmethod
    def of(cls, key: SigningKey) -> PublishedCertificate:
        """Describe a key's certificate; the fingerprint is SHA-256 in hex with colons."""
        pairs = (key.fingerprint[at : at + 2] for at in range(0, len(key.fingerprint), 2))
        return cls(
            key.state,
            ":".join(pairs).upper(),
            key.subject,
            key.certificate.not_valid_before_utc,
            key.certificate.not_valid_after_utc,
            key.algorithm,
            key.id,
        )


@dataclass(frozen=True, slots=True)
class PublishedMetadata:
    """The document in UTF-8, an ETag for it, the same for reading, and its certificates."""

    xml: bytes
    etag: str
    readable: str
    certificates: tuple[PublishedCertificate, ...]


def publish_metadata(
    session: Session,
    settings: Settings,
    now: datetime,
    *,
    without: str = "",
    overlap: timedelta | None = None,
) -> PublishedMetadata:
    """Build the metadata from the published keys. Raises KeyUnusable if there is no key.

    `without` is the identifier of a key that is about to retire: AWS accounts lose it first. A
    retiring key is left out, too, once it has been retiring for `overlap`, if that is given.
    """
    keys = [
        key
        for key in published_keys(session)
        if key.id != without
        and (overlap is None or key.retiring_at is None or key.retiring_at + overlap > now)
    ]
    if not keys:
        raise KeyUnusable("There is no signing key to publish.", "Run: idp certs generate")
    valid_until = None
    if settings.saml.metadata_valid_days:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        valid_until = midnight + timedelta(days=settings.saml.metadata_valid_days + 1)
    description = IdentityProviderDescription(
        entity_id=settings.entity_id,
        sso_url=f"{settings.server.base_url}/sso",
        organization=settings.organization,
        organization_url=f"{settings.server.base_url}/",
        certificates=[key.certificate_base64 for key in keys],
        valid_until=valid_until,
    )
    if settings.saml.sign_metadata:
        signer = open_signer(active_key(session), settings)
        xml = build_metadata(description, signer, ALGORITHMS[settings.saml.digest])
    else:
        xml = build_metadata(description)
    tree = etree.fromstring(xml)
    etree.indent(tree)
    return PublishedMetadata(
        xml,
        hashlib.sha256(xml).hexdigest()[:32],
        etree.tostring(tree, encoding="unicode"),
        tuple(PublishedCertificate.of(key) for key in keys),
    )
