"""The Subject: who is meant, and where and until when the assertion may be handed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from idp.sandbox.judge.check import (
    EXPIRED,
    INVALID_RESPONSE,
    NOT_AUTHORIZED,
    AwsError,
    Notebook,
    Rule,
)
from idp.sandbox.judge.names import ASSERTION, read_instant, text_of

BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
FORMATS = (
    *(
        f"urn:oasis:names:tc:SAML:2.0:nameid-format:{kind}"
        for kind in ("persistent", "transient", "kerberos", "entity")
    ),
    *(
        f"urn:oasis:names:tc:SAML:1.1:nameid-format:{kind}"
        for kind in ("emailAddress", "unspecified", "X509SubjectName", "WindowsDomainQualifiedName")
    ),
)

_NO_CONFIRMATION = AwsError(
    "InvalidIdentityToken",
    # AWS spells it so.
    "Responses must contain SubjectConfirmatonData with a Recipient and NotOnOrAfter",
)

RULES = (
    Rule(
        "name-id",
        "The Subject has one NameID, and it isn't empty.",
        NOT_AUTHORIZED,
        "Send a NameID; AWS advises a persistent one that names nobody.",
    ),
    Rule(
        "name-id-format",
        "The NameID's Format is one of the eight of AWS's metadata.",
        INVALID_RESPONSE,
        "Use urn:oasis:names:tc:SAML:2.0:nameid-format:persistent.",
        confirmed=False,
    ),
    Rule(
        "confirmation",
        "There is exactly one SubjectConfirmation, and its method is bearer.",
        _NO_CONFIRMATION,
        f"Send one SubjectConfirmation with Method {BEARER}.",
    ),
    Rule(
        "confirmation-data",
        "Its SubjectConfirmationData has a Recipient and a NotOnOrAfter.",
        _NO_CONFIRMATION,
        "Set both attributes on SubjectConfirmationData.",
    ),
    Rule(
        "recipient",
        "Recipient is the sign-in endpoint that the response goes to (saml:aud).",
        NOT_AUTHORIZED,
        "Set Recipient to the very URL that the form posts to.",
    ),
    Rule(
        "confirmation-not-before",
        "SubjectConfirmationData has no NotBefore (SAML profiles 4.1.4.2).",
        INVALID_RESPONSE,
        "Leave NotBefore to Conditions.",
        confirmed=False,
    ),
    Rule(
        "confirmation-fresh",
        "SubjectConfirmationData's NotOnOrAfter lies ahead.",
        EXPIRED,
        "Hand the response in sooner, or mend the identity provider's clock (UTC).",
        side="late",
    ),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """NameID, its format, and the Recipient."""

    name_id: str
    name_id_format: str
    recipient: str


def read_subject(
    assertion: etree._Element, endpoints: tuple[str, ...], now: datetime, notebook: Notebook
) -> Subject:
    """The Subject of the assertion, each of its rules noted."""
    names = assertion.findall(f"{ASSERTION}Subject/{ASSERTION}NameID")
    name = text_of(names[0]) if len(names) == 1 else ""
    name_format = (names[0].get("Format") if names else None) or UNSPECIFIED
    if notebook.note(
        "name-id",
        bool(name.strip()),
        name or f"{len(names)} NameID elements",
        "one NameID with text",
    ):
        notebook.note(
            "name-id-format", name_format in FORMATS, name_format, "one of AWS's eight formats"
        )
    return Subject(name, name_format, _read_confirmation(assertion, endpoints, now, notebook))


def _read_confirmation(
    assertion: etree._Element, endpoints: tuple[str, ...], now: datetime, notebook: Notebook
) -> str:
    confirmations = assertion.findall(f"{ASSERTION}Subject/{ASSERTION}SubjectConfirmation")
    methods = [element.get("Method", "") for element in confirmations]
    if not notebook.note("confirmation", methods == [BEARER], ", ".join(methods) or "none", BEARER):
        return ""
    found = confirmations[0].findall(f"{ASSERTION}SubjectConfirmationData")
    data = {str(k): str(v) for k, v in found[0].items()} if len(found) == 1 else {}
    recipient, until = data.get("Recipient", ""), data.get("NotOnOrAfter", "")
    if not notebook.note(
        "confirmation-data",
        bool(recipient and until),
        f"Recipient {recipient or 'missing'}, NotOnOrAfter {until or 'missing'}",
        "both",
    ):
        return recipient
    notebook.note("recipient", recipient in endpoints, recipient, endpoints[0])
    early = data.get("NotBefore", "")
    notebook.note("confirmation-not-before", not early, early or "absent", "absent")
    ends = read_instant(until)
    notebook.note(
        "confirmation-fresh", ends is not None and now < ends, until, f"later than {now:%FT%TZ}"
    )
    return recipient
