"""The one function that builds a Response. It builds a tree, never text."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from idp.errors import IdpError
from idp.saml.encryption import EncryptionKey, encrypt_assertion
from idp.saml.ids import new_id
from idp.saml.signature import SignatureAlgorithm, Signer, sign_enveloped
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

_RESPONSE = f"{{{PROTOCOL}}}Response"
_STATUS = f"{{{PROTOCOL}}}Status"
_STATUS_CODE = f"{{{PROTOCOL}}}StatusCode"
_ISSUER = f"{{{ASSERTION}}}Issuer"
_ASSERTION = f"{{{ASSERTION}}}Assertion"
_SUBJECT = f"{{{ASSERTION}}}Subject"
_NAME_ID = f"{{{ASSERTION}}}NameID"
_CONFIRMATION = f"{{{ASSERTION}}}SubjectConfirmation"
_CONFIRMATION_DATA = f"{{{ASSERTION}}}SubjectConfirmationData"
_CONDITIONS = f"{{{ASSERTION}}}Conditions"
_AUDIENCE_RESTRICTION = f"{{{ASSERTION}}}AudienceRestriction"
_AUDIENCE = f"{{{ASSERTION}}}Audience"
_AUTHN_STATEMENT = f"{{{ASSERTION}}}AuthnStatement"
_AUTHN_CONTEXT = f"{{{ASSERTION}}}AuthnContext"
_CLASS_REF = f"{{{ASSERTION}}}AuthnContextClassRef"
_ATTRIBUTE_STATEMENT = f"{{{ASSERTION}}}AttributeStatement"
_ATTRIBUTE = f"{{{ASSERTION}}}Attribute"
_ATTRIBUTE_VALUE = f"{{{ASSERTION}}}AttributeValue"

_RESPONSE_PREFIXES = {"samlp": PROTOCOL, "saml": ASSERTION}
_ASSERTION_PREFIXES = {"saml": ASSERTION}


class UnspeakableValue(IdpError):
    """A value holds characters that XML can't carry."""


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
    try:
        response, assertion = _build(statement)
    except (ValueError, UnicodeEncodeError):
        raise UnspeakableValue(
            "A value for the assertion holds control characters or half characters.",
            "Correct it in the directory.",
        ) from None
    sign_enveloped(assertion, signer, algorithm, position=1)
    assertion_id = str(assertion.get("ID"))
    if encrypt_to is not None:
        encrypt_assertion(assertion, encrypt_to)
    if sign_response:
        sign_enveloped(response, signer, algorithm, position=1)
    return SignedResponse(
        etree.tostring(response, encoding="utf-8", xml_declaration=False),
        str(response.get("ID")),
        assertion_id,
    )


def _build(statement: Statement) -> tuple[etree._Element, etree._Element]:
    issued = _time(statement.issue_instant)
    ends = _time(statement.issue_instant + statement.lifetime)
    add = etree.SubElement

    response = etree.Element(
        _RESPONSE,
        {
            "ID": new_id(),
            "Version": "2.0",
            "IssueInstant": issued,
            "Destination": statement.recipient,
        },
        nsmap=_RESPONSE_PREFIXES,
    )
    add(response, _ISSUER).text = statement.issuer
    add(add(response, _STATUS), _STATUS_CODE, {"Value": SUCCESS})

    assertion = add(
        response,
        _ASSERTION,
        {"ID": new_id(), "Version": "2.0", "IssueInstant": issued},
        nsmap=_ASSERTION_PREFIXES,
    )
    add(assertion, _ISSUER).text = statement.issuer

    subject = add(assertion, _SUBJECT)
    add(subject, _NAME_ID, {"Format": statement.name_id.format}).text = statement.name_id.value
    confirmation = add(subject, _CONFIRMATION, {"Method": BEARER})
    add(
        confirmation,
        _CONFIRMATION_DATA,
        {"NotOnOrAfter": ends, "Recipient": statement.recipient},
    )

    conditions = add(
        assertion,
        _CONDITIONS,
        {
            "NotBefore": _time(statement.issue_instant - statement.clock_skew),
            "NotOnOrAfter": ends,
        },
    )
    add(add(conditions, _AUDIENCE_RESTRICTION), _AUDIENCE).text = statement.audience

    authn = add(
        assertion,
        _AUTHN_STATEMENT,
        {
            "AuthnInstant": _time(statement.authn_instant),
            "SessionIndex": statement.session_index,
        },
    )
    add(add(authn, _AUTHN_CONTEXT), _CLASS_REF).text = statement.authn_context

    attributes = add(assertion, _ATTRIBUTE_STATEMENT)
    for attribute in statement.attributes:
        holder = add(attributes, _ATTRIBUTE, {"Name": attribute.name, "NameFormat": URI_NAMES})
        for value in attribute.values:
            add(holder, _ATTRIBUTE_VALUE).text = value
    return response, assertion


def _time(moment: datetime) -> str:
    """SAML core 1.3.3: UTC with a Z, no fraction that a receiver might not read."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"
