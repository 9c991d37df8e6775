"""The one function that builds a Response.

It writes the message as its own canonical form (Exclusive XML Canonicalization 1.0), so that what
is hashed and signed is what is sent, and nothing has to be canonicalised. Every value goes through
idp.saml.canonical_text, which lets none of them break out of its place.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from idp.saml.canonical_text import attribute_value, element_text
from idp.saml.encryption import EncryptionKey, encrypted_assertion
from idp.saml.ids import new_id
from idp.saml.signature import SignatureAlgorithm, Signer, signature
from idp.saml.xml import ASSERTION, PROTOCOL

SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
URI_NAMES = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"

NAME_ID_FORMATS = {
    "persistent": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "transient": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
    "emailAddress": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "unspecified": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
}


@dataclass(frozen=True, slots=True)
class NameId:
    """Whom the assertion is about; `format` is a URI of NAME_ID_FORMATS."""

    value: str
    format: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """One Attribute with its values; the name is a URI."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """All that one Response says; times are aware UTC datetimes.

    `recipient` is the ACS the browser posts to and `audience` the service provider's entityID.
    `authn_instant` is when the person really proved who they are, not when this was made.
    """

    issuer: str
    recipient: str
    audience: str
    name_id: NameId
    attributes: Sequence[Attribute]
    authn_instant: datetime
    authn_context: str
    session_index: str
    issue_instant: datetime
    lifetime: timedelta
    clock_skew: timedelta


@dataclass(frozen=True, slots=True)
class SignedResponse:
    """A Response ready to post: `xml` in UTF-8, and the identifiers that an audit trail wants."""

    xml: bytes
    response_id: str
    assertion_id: str

    def form_value(self) -> str:
        """The value of the form field SAMLResponse (SAML bindings 3.5.4: base64)."""
        return base64.b64encode(self.xml).decode("ascii")


def build_response(
    statement: Statement,
    signer: Signer,
    algorithm: SignatureAlgorithm,
    *,
    sign_response: bool = False,
    encrypt_to: EncryptionKey | None = None,
) -> SignedResponse:
    """Build and sign an unsolicited Response with one Assertion (SAML profiles 4.1.4.2, 4.1.5).

    The Assertion is always signed; `sign_response` signs the Response around it as well. With
    `encrypt_to` the signed Assertion is encrypted to that key, and a signature of the Response is
    over the encrypted form. There is no InResponseTo, and no SessionNotOnOrAfter, which would
    shorten AWS sessions. Raises UnspeakableValue and NotEncrypted.
    """
    response_id, assertion_id = new_id(), new_id()
    assertion = _signed(*_assertion(statement, assertion_id), assertion_id, signer, algorithm)
    if encrypt_to is not None:
        assertion = encrypted_assertion(assertion, encrypt_to)
    before, after = _response(statement, response_id, assertion)
    if sign_response:
        response = _signed(before, after, response_id, signer, algorithm)
    else:
        response = before + after
    return SignedResponse(response.encode(), response_id, assertion_id)


def _signed(
    before: str, after: str, identifier: str, signer: Signer, algorithm: SignatureAlgorithm
) -> str:
    """An element in two parts, with its signature between them: after its Issuer (core 5.4.1)."""
    canonical = (before + after).encode()
    return before + signature(canonical, identifier, signer, algorithm) + after


# In the canonical form, namespaces stand where they are first used, before the attributes, which
# are in the order of the alphabet; no element is closed in its start tag.


def _response(statement: Statement, identifier: str, assertion: str) -> tuple[str, str]:
    """The Response up to its Issuer, and the rest."""
    return (
        f'<samlp:Response xmlns:samlp="{PROTOCOL}" '
        f'Destination="{attribute_value(statement.recipient)}" ID="{identifier}" '
        f'IssueInstant="{_time(statement.issue_instant)}" Version="2.0">'
        f'<saml:Issuer xmlns:saml="{ASSERTION}">{element_text(statement.issuer)}</saml:Issuer>',
        f'<samlp:Status><samlp:StatusCode Value="{SUCCESS}"></samlp:StatusCode></samlp:Status>'
        f"{assertion}</samlp:Response>",
    )


def _assertion(statement: Statement, identifier: str) -> tuple[str, str]:
    """The Assertion up to its Issuer, and the rest."""
    issued = _time(statement.issue_instant)
    starts = _time(statement.issue_instant - statement.clock_skew)
    ends = _time(statement.issue_instant + statement.lifetime)
    name_id = statement.name_id
    return (
        f'<saml:Assertion xmlns:saml="{ASSERTION}" ID="{identifier}" IssueInstant="{issued}" '
        f'Version="2.0"><saml:Issuer>{element_text(statement.issuer)}</saml:Issuer>',
        f'<saml:Subject><saml:NameID Format="{attribute_value(name_id.format)}">'
        f"{element_text(name_id.value)}</saml:NameID>"
        f'<saml:SubjectConfirmation Method="{BEARER}"><saml:SubjectConfirmationData '
        f'NotOnOrAfter="{ends}" Recipient="{attribute_value(statement.recipient)}">'
        "</saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>"
        f'<saml:Conditions NotBefore="{starts}" NotOnOrAfter="{ends}"><saml:AudienceRestriction>'
        f"<saml:Audience>{element_text(statement.audience)}</saml:Audience>"
        "</saml:AudienceRestriction></saml:Conditions>"
        f'<saml:AuthnStatement AuthnInstant="{_time(statement.authn_instant)}" '
        f'SessionIndex="{attribute_value(statement.session_index)}"><saml:AuthnContext>'
        f"<saml:AuthnContextClassRef>{element_text(statement.authn_context)}"
        "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
        f"<saml:AttributeStatement>{''.join(map(_attribute, statement.attributes))}"
        "</saml:AttributeStatement></saml:Assertion>",
    )


def _attribute(attribute: Attribute) -> str:
    values = "</saml:AttributeValue><saml:AttributeValue>".join(map(element_text, attribute.values))
    if attribute.values:
        values = f"<saml:AttributeValue>{values}</saml:AttributeValue>"
    return f"{_attribute_start(attribute.name)}{values}</saml:Attribute>"


@lru_cache(maxsize=256)
def _attribute_start(name: str) -> str:
    return f'<saml:Attribute Name="{attribute_value(name)}" NameFormat="{URI_NAMES}">'


def _time(moment: datetime) -> str:
    """SAML core 1.3.3: UTC with a Z, no fraction that a receiver might not read."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"
