"""The one function that builds a Response.

It writes the message as its own canonical form (Exclusive XML Canonicalization 1.0), so that what
is hashed and signed is what is sent, and nothing has to be canonicalised. Every value goes through
idp.saml.canonical_xml, which lets none of them break out of its place.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from idp.saml.canonical_xml import CanonicalXml, element
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
    parts = _signed(_assertion(statement, assertion_id), assertion_id, signer, algorithm)
    assertion = _whole(parts)
    if encrypt_to is not None:
        assertion = encrypted_assertion(assertion, encrypt_to)
    parts = _response(statement, response_id, assertion)
    if sign_response:
        parts = _signed(parts, response_id, signer, algorithm)
    return SignedResponse(_whole(parts).encode(), response_id, assertion_id)


# An element's name, its attributes, and the elements in it, of which the first is its Issuer.
_Parts = tuple[str, dict[str, str], tuple[CanonicalXml, ...]]


def _whole(parts: _Parts) -> CanonicalXml:
    name, attributes, content = parts
    return element(name, attributes, *content)


def _signed(
    parts: _Parts, identifier: str, signer: Signer, algorithm: SignatureAlgorithm
) -> _Parts:
    """The parts of an element with its signature among them: after its Issuer (core 5.4.1)."""
    made = signature(_whole(parts).encode(), identifier, signer, algorithm)
    name, attributes, (issuer, *others) = parts
    return name, attributes, (issuer, made, *others)


# In the canonical form, namespaces stand where they are first used, before the attributes, which
# are in the order of the alphabet.


def _response(statement: Statement, identifier: str, assertion: CanonicalXml) -> _Parts:
    return (
        "samlp:Response",
        {
            "xmlns:samlp": PROTOCOL,
            "Destination": statement.recipient,
            "ID": identifier,
            "IssueInstant": _time(statement.issue_instant),
            "Version": "2.0",
        },
        (
            element("saml:Issuer", {"xmlns:saml": ASSERTION}, statement.issuer),
            _SUCCEEDED,
            assertion,
        ),
    )


def _assertion(statement: Statement, identifier: str) -> _Parts:
    starts = _time(statement.issue_instant - statement.clock_skew)
    ends = _time(statement.issue_instant + statement.lifetime)
    name_id = statement.name_id
    return (
        "saml:Assertion",
        {
            "xmlns:saml": ASSERTION,
            "ID": identifier,
            "IssueInstant": _time(statement.issue_instant),
            "Version": "2.0",
        },
        (
            element("saml:Issuer", {}, statement.issuer),
            element(
                "saml:Subject",
                {},
                element("saml:NameID", {"Format": name_id.format}, name_id.value),
                element(
                    "saml:SubjectConfirmation",
                    {"Method": BEARER},
                    element(
                        "saml:SubjectConfirmationData",
                        {"NotOnOrAfter": ends, "Recipient": statement.recipient},
                    ),
                ),
            ),
            element(
                "saml:Conditions",
                {"NotBefore": starts, "NotOnOrAfter": ends},
                element(
                    "saml:AudienceRestriction", {}, element("saml:Audience", {}, statement.audience)
                ),
            ),
            element(
                "saml:AuthnStatement",
                {
                    "AuthnInstant": _time(statement.authn_instant),
                    "SessionIndex": statement.session_index,
                },
                element(
                    "saml:AuthnContext",
                    {},
                    element("saml:AuthnContextClassRef", {}, statement.authn_context),
                ),
            ),
            element("saml:AttributeStatement", {}, *map(_attribute, statement.attributes)),
        ),
    )


def _attribute(attribute: Attribute) -> CanonicalXml:
    return element(
        "saml:Attribute",
        {"Name": attribute.name, "NameFormat": URI_NAMES},
        *[element("saml:AttributeValue", {}, value) for value in attribute.values],
    )


_SUCCEEDED = element("samlp:Status", {}, element("samlp:StatusCode", {"Value": SUCCESS}))


def _time(moment: datetime) -> str:
    """SAML core 1.3.3: UTC with a Z, no fraction that a receiver might not read."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"
