"""From the posted text to an XML tree: size, base64, XML, identifiers."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from lxml import etree

from idp.errors import IdpError
from idp.saml.xml import parse_untrusted
from idp.sandbox.judge.check import INVALID_RESPONSE, AwsError, Notebook, Rule

SHORTEST, LONGEST = 4, 100_000
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)

_BREAKS_LENGTH = (
    "1 validation error detected: Value at 'sAMLAssertion' failed to satisfy constraint: "
    "Member must have length"
)
_TOO_SHORT = AwsError("ValidationError", f"{_BREAKS_LENGTH} greater than or equal to {SHORTEST}")

RULES = (
    Rule(
        "size",
        "The encoded response has 4 to 100,000 characters.",
        AwsError("ValidationError", f"{_BREAKS_LENGTH} less than or equal to {LONGEST}"),
        "Send fewer roles or shorter attributes in one assertion.",
    ),
    Rule(
        "base64",
        "The response is clean base64.",
        AwsError("InvalidIdentityToken", "Invalid base64 SAMLResponse"),
        "Encode the XML as standard base64, without line breaks, spaces or URL-encoding.",
    ),
    Rule(
        "xml",
        "It decodes to well-formed UTF-8 XML without a document type.",
        INVALID_RESPONSE,
        "Send one well-formed XML document without DOCTYPE, entities or processing instructions.",
    ),
    Rule(
        "unique-ids",
        "Every ID in the document is there once.",
        INVALID_RESPONSE,
        "Give Response and Assertion IDs of their own.",
        confirmed=False,
    ),
)


def read_document(text: str, notebook: Notebook) -> etree._Element | None:
    """The root element of the encoded response, or None when it can't be read."""
    if not notebook.note(
        "size",
        SHORTEST <= len(text) <= LONGEST,
        f"{len(text):,} characters",
        "4 to 100,000",
        error=_TOO_SHORT if len(text) < SHORTEST else None,
    ):
        return None
    data = _decode(text)
    if not notebook.note("base64", data is not None, text[:60], "A–Z a–z 0–9 + / ="):
        return None
    try:
        root = parse_untrusted(data or b"", max_bytes=LONGEST)
    except IdpError as refusal:
        notebook.note("xml", False, refusal.message, "well-formed XML")
        return None
    notebook.note("xml", True, "well-formed")
    check_ids((root,), notebook)
    return root


def check_ids(trees: Iterable[etree._Element], notebook: Notebook) -> None:
    """Hold the IDs of a message that comes in several documents, one inside the other."""
    repeated = _repeated_ids(trees)
    notebook.note("unique-ids", not repeated, ", ".join(repeated) or "unique", "each once")


def _decode(text: str) -> bytes | None:
    if not _BASE64.fullmatch(text):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _repeated_ids(trees: Iterable[etree._Element]) -> list[str]:
    """Values that stand in more than one ID attribute, however its name is written."""
    seen: set[str] = set()
    repeated: list[str] = []
    for element in (found for root in trees for found in root.iter(etree.Element)):
        for name, value in element.attrib.items():
            if etree.QName(str(name)).localname.lower() == "id":
                if value in seen:
                    repeated.append(str(value))
                seen.add(str(value))
    return repeated
