"""The signing seam: an enveloped XML signature made of one call to a Signer.

The private key may be in a file, a token or a cloud service; all of them see the same bytes, the
exclusive canonical form of SignedInfo, and give back the signature over them.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from lxml import etree

from idp.saml.canonical_xml import CanonicalXml, attribute_value
from idp.saml.xml import EXCLUSIVE_C14N, XMLDSIG

_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
_ENVELOPED = XMLDSIG + "enveloped-signature"


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """RSA (PKCS#1 v1.5) with one hash; `digest` is hashlib's name for it."""

    digest: str
    signature_uri: str
    digest_uri: str


ALGORITHMS = {
    "sha256": SignatureAlgorithm(
        "sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmlenc#sha256",
    ),
    "sha384": SignatureAlgorithm(
        "sha384",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
        "http://www.w3.org/2001/04/xmldsig-more#sha384",
    ),
    "sha512": SignatureAlgorithm(
        "sha512",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        "http://www.w3.org/2001/04/xmlenc#sha512",
    ),
}


class Signer(Protocol):
    """A private RSA key, wherever it is kept."""

    @property
    def certificate(self) -> str:
        """The key's certificate: base64 of its DER form, without line breaks."""
        ...

    def sign(self, data: bytes, digest: str) -> bytes:
        """Sign `data` with RSASSA-PKCS1-v1_5 over hash `digest` ("sha256", "sha384", "sha512")."""
        ...


def canonical(element: etree._Element) -> bytes:
    """The exclusive canonical form of an element where it stands, without comments."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def signature(
    canonical_element: bytes, identifier: str, signer: Signer, algorithm: SignatureAlgorithm
) -> CanonicalXml:
    """The ds:Signature of the element whose attribute ID is `identifier`, as canonical XML.

    SAML core 5.4: enveloped signature, one reference, exclusive canonicalization. The element is
    given in its canonical form and without the signature: so the enveloped transform leaves it.
    """
    before, after = _signed_info(algorithm)
    digest = base64.b64encode(_HASHES[algorithm.digest](canonical_element).digest()).decode()
    info = f'{before}<ds:Reference URI="#{attribute_value(identifier)}">{after % digest}'
    # Standing alone, SignedInfo declares its namespace itself.
    alone = f'<ds:SignedInfo xmlns:ds="{XMLDSIG}">{info}'
    value = base64.b64encode(signer.sign(alone.encode(), algorithm.digest)).decode()
    return CanonicalXml(
        f'<ds:Signature xmlns:ds="{XMLDSIG}"><ds:SignedInfo>{info}'
        f"<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>"
        f"<ds:X509Certificate>{signer.certificate}</ds:X509Certificate>"
        "</ds:X509Data></ds:KeyInfo></ds:Signature>"
    )


def sign_enveloped(
    element: etree._Element, signer: Signer, algorithm: SignatureAlgorithm, *, position: int
) -> None:
    """Sign `element` (by its attribute ID) and put ds:Signature in it as child number `position`.

    The element must be in its final document already, and hold no signature yet.
    """
    made = signature(canonical(element), str(element.get("ID")), signer, algorithm)
    element.insert(position, etree.fromstring(made))


@cache
def _signed_info(algorithm: SignatureAlgorithm) -> tuple[str, str]:
    """What stands in SignedInfo before the Reference, and in it, with %s for the digest."""
    return (
        _with("CanonicalizationMethod", EXCLUSIVE_C14N)
        + _with("SignatureMethod", algorithm.signature_uri),
        f"<ds:Transforms>{_with('Transform', _ENVELOPED)}{_with('Transform', EXCLUSIVE_C14N)}"
        f"</ds:Transforms>{_with('DigestMethod', algorithm.digest_uri)}"
        "<ds:DigestValue>%s</ds:DigestValue></ds:Reference></ds:SignedInfo>",
    )


def _with(name: str, algorithm_uri: str) -> str:
    return f'<ds:{name} Algorithm="{algorithm_uri}"></ds:{name}>'
