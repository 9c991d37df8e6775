"""The signing seam: an enveloped XML signature made of one call to a Signer.

The private key may be in a file, a token or a cloud service; all of them see the same bytes, the
exclusive canonical form of SignedInfo, and give back the signature over them.
"""

from __future__ import annotations

import base64
import hashlib
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from lxml import etree

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


def sign_enveloped(
    element: etree._Element, signer: Signer, algorithm: SignatureAlgorithm, *, position: int
) -> None:
    """Sign `element` (by its attribute ID) and put ds:Signature in it as child number `position`.

    SAML core 5.4: enveloped signature, one reference, exclusive canonicalization. The element
    must be in its final document already, and hold no signature yet: its digest is then that of
    the enveloped transform.
    """
    digest = _HASHES[algorithm.digest](canonical(element)).digest()

    signature = deepcopy(_skeleton(algorithm))
    signed_info, value, key_info = signature
    reference = signed_info[2]
    reference.set("URI", f"#{element.get('ID')}")
    reference[2].text = base64.b64encode(digest).decode("ascii")
    key_info[0][0].text = signer.certificate

    element.insert(position, signature)
    raw = signer.sign(canonical(signed_info), algorithm.digest)
    value.text = base64.b64encode(raw).decode("ascii")


@cache
def _skeleton(algorithm: SignatureAlgorithm) -> etree._Element:
    """ds:Signature with all that does not differ from one signature to the next."""
    signature = etree.Element(f"{{{XMLDSIG}}}Signature", nsmap={"ds": XMLDSIG})
    signed_info = _add(signature, "SignedInfo")
    _add(signed_info, "CanonicalizationMethod", Algorithm=EXCLUSIVE_C14N)
    _add(signed_info, "SignatureMethod", Algorithm=algorithm.signature_uri)
    reference = _add(signed_info, "Reference", URI="")
    transforms = _add(reference, "Transforms")
    _add(transforms, "Transform", Algorithm=_ENVELOPED)
    _add(transforms, "Transform", Algorithm=EXCLUSIVE_C14N)
    _add(reference, "DigestMethod", Algorithm=algorithm.digest_uri)
    _add(reference, "DigestValue")
    _add(signature, "SignatureValue")
    _add(_add(_add(signature, "KeyInfo"), "X509Data"), "X509Certificate")
    return signature


def _add(parent: etree._Element, name: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{XMLDSIG}}}{name}", attributes)
