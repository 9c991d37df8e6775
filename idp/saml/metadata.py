"""Our metadata: the document that a service provider registers (SAML metadata 2.4.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml import etree
from saml2 import md, xmldsig

from idp.saml.response import NAME_ID_FORMATS
from idp.saml.signature import SignatureAlgorithm, Signer, sign_enveloped
from idp.saml.xml import METADATA, PROTOCOL, XMLDSIG

HTTP_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
SMALLEST_FOR_IAM = 1000  # characters; CreateSAMLProvider refuses a shorter document


@dataclass(frozen=True, slots=True)
class IdentityProviderDescription:
    """What the metadata says. `certificates` are base64 DER, the active key's first."""

    entity_id: str
    sso_url: str
    organization: str
    organization_url: str
    certificates: Sequence[str]
    valid_until: datetime | None = None


def build_metadata(
    description: IdentityProviderDescription,
    signer: Signer | None = None,
    algorithm: SignatureAlgorithm | None = None,
) -> bytes:
    """The EntityDescriptor in UTF-8 without a byte order mark, signed if a signer is given.

    The same description gives the same bytes, so that an ETag can be made of them.
    """
    idp = md.IDPSSODescriptor(
        protocol_support_enumeration=PROTOCOL,
        want_authn_requests_signed="false",
        key_descriptor=[_key(certificate) for certificate in description.certificates],
        name_id_format=[md.NameIDFormat(text=uri) for uri in NAME_ID_FORMATS.values()],
        single_sign_on_service=[
            md.SingleSignOnService(binding=HTTP_REDIRECT, location=description.sso_url)
        ],
    )
    organization = md.Organization(
        organization_name=[md.OrganizationName(text=description.organization, lang="en")],
        organization_display_name=[
            md.OrganizationDisplayName(text=description.organization, lang="en")
        ],
        organization_url=[md.OrganizationURL(text=description.organization_url, lang="en")],
    )
    entity = md.EntityDescriptor(
        entity_id=description.entity_id, idpsso_descriptor=[idp], organization=organization
    )
    if description.valid_until:
        entity.valid_until = description.valid_until.strftime("%Y-%m-%dT%H:%M:%SZ")
    root = etree.fromstring(entity.to_string())
    root = _with_prefixes(root)
    if signer and algorithm:
        root.set("ID", "_" + hashlib.sha256(etree.tostring(root)).hexdigest()[:40])
        sign_enveloped(root, signer, algorithm, position=0)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + etree.tostring(root, encoding="utf-8")


def _key(certificate: str) -> md.KeyDescriptor:
    data = xmldsig.X509Data(x509_certificate=xmldsig.X509Certificate(text=certificate))
    return md.KeyDescriptor(use="signing", key_info=xmldsig.KeyInfo(x509_data=data))


def _with_prefixes(root: etree._Element) -> etree._Element:
    """The same tree with the prefixes people expect, in place of ns0 and ns1."""
    prefixes = {"md": METADATA, "ds": XMLDSIG}
    copy = etree.Element(root.tag, nsmap=prefixes)
    for name, value in root.items():
        copy.set(name, value)
    for child in root:
        copy.append(child)
    etree.cleanup_namespaces(copy, top_nsmap=prefixes)
    return copy
