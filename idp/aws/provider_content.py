"""What a metadata document makes IAM believe: the issuer and its signing certificates.

Two documents that say the same are the same to AWS, whatever their bytes: the order of the
certificates, line breaks and dates don't count (IAM User Guide, "Create a SAML identity provider").
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from idp.errors import IdpError
from idp.saml.xml import METADATA, XMLDSIG, BadXml, parse_untrusted

SHORTEST, LONGEST, MOST_CERTIFICATES = 1_000, 10_000_000, 10
_SHOWN = 16  # hex digits of a fingerprint


class UnfitMetadata(IdpError):
    """Our own metadata is nothing that IAM would take."""


@dataclass(frozen=True, slots=True)
class ProviderContent:
    """Entity IDs (one, as a rule) and SHA-256 fingerprints of certificates, lower-case hex."""

    issuers: frozenset[str]
    certificates: frozenset[str]


@dataclass(frozen=True, slots=True)
class Difference:
    """How a SAML provider differs from what we publish.

    `absent`: there is none of that name. `unreadable`: what it holds is no metadata.
    `other_issuers`: entity IDs it holds that are not ours; `issuer_held`: it holds ours.
    `held`, `missing` and `extra` are fingerprints, sorted.
    """

    absent: bool = False
    unreadable: bool = False
    issuer_held: bool = True
    other_issuers: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether it is as we publish it."""
        return not (self.absent or self.unreadable or self.missing or self.extra) and (
            self.issuer_held and not self.other_issuers
        )

    @property
    def foreign(self) -> bool:
        """Whether nothing in it is ours: it most likely serves another identity provider."""
        return not self.absent and (self.unreadable or not (self.issuer_held or self.held))

    def words(self) -> str:
        """The difference for a line on a terminal; empty if there is none."""
        if self.absent:
            return "no such provider"
        if self.unreadable:
            return "holds no metadata that can be read"
        said = [f"issuer {issuer[:200]}" for issuer in self.other_issuers]
        if not self.issuer_held and not said:
            said.append("no issuer")
        for name, fingerprints in (("missing", self.missing), ("extra", self.extra)):
            if fingerprints:
                shown = ", ".join(short_fingerprint(each) for each in fingerprints)
                plural = "s" if len(fingerprints) > 1 else ""
                said.append(f"{name} certificate{plural} {shown}")
        return "; ".join(said)


def short_fingerprint(fingerprint: str) -> str:
    """The first digits of a fingerprint, enough to find it in `idp certs list`."""
    return fingerprint[:_SHOWN]


def read_content(document: bytes) -> ProviderContent:
    """Read the identity providers in a metadata document. Raises BadXml.

    Certificates count when their KeyDescriptor is for signing or says no use. One that is no
    base64 is known by the hash of its text, so that it shows as an extra one.
    """
    root = parse_untrusted(document, max_bytes=4 * LONGEST)
    issuers, certificates = set[str](), set[str]()
    for entity in root.iter(f"{{{METADATA}}}EntityDescriptor"):
        for descriptor in entity.findall(f"{{{METADATA}}}IDPSSODescriptor"):
            issuers.add(str(entity.get("entityID", "")))
            for key in descriptor.findall(f"{{{METADATA}}}KeyDescriptor"):
                if key.get("use", "signing") == "signing":
                    found = key.iter(f"{{{XMLDSIG}}}X509Certificate")
                    certificates.update(_fingerprint(each.text or "") for each in found)
    if not issuers:
        raise BadXml("The metadata describes no identity provider.")
    return ProviderContent(frozenset(issuers), frozenset(certificates))


def publishable(metadata: bytes) -> ProviderContent:
    """What our metadata says, if IAM will take it. Raises UnfitMetadata, BadXml.

    Limits: IAM API CreateSAMLProvider (1,000 to 10,000,000 characters), and IAM quotas (10 keys).
    """
    content = read_content(metadata)
    size = len(metadata.decode("utf-8"))
    if not SHORTEST <= size <= LONGEST:
        raise UnfitMetadata(
            f"The metadata has {size:,} characters; IAM takes {SHORTEST:,} to {LONGEST:,}."
        )
    if not 1 <= len(content.certificates) <= MOST_CERTIFICATES:
        raise UnfitMetadata(
            f"The metadata holds {len(content.certificates)} certificates; "
            f"IAM takes 1 to {MOST_CERTIFICATES}.",
            "Retire keys that sign no more.",
        )
    return content


def compare(held: bytes | None, published: ProviderContent) -> Difference:
    """How a provider that holds this document (None: there is no provider) differs from ours."""
    if held is None:
        return Difference(
            absent=True, issuer_held=False, missing=tuple(sorted(published.certificates))
        )
    try:
        content = read_content(held)
    except BadXml:
        return Difference(
            unreadable=True, issuer_held=False, missing=tuple(sorted(published.certificates))
        )
    return Difference(
        issuer_held=published.issuers <= content.issuers,
        other_issuers=tuple(sorted(content.issuers - published.issuers)),
        held=tuple(sorted(published.certificates & content.certificates)),
        missing=tuple(sorted(published.certificates - content.certificates)),
        extra=tuple(sorted(content.certificates - published.certificates)),
    )


def _fingerprint(text: str) -> str:
    bare = "".join(text.split())
    try:
        der = base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        der = bare.encode()
    return hashlib.sha256(der).hexdigest()
