"""The names of SAML, XML Signature and XML Encryption that the judge reads, spelt out once."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from lxml import etree

PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
METADATA = "{urn:oasis:names:tc:SAML:2.0:metadata}"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}"
ENCRYPTION = "{http://www.w3.org/2001/04/xmlenc#}"
ENCRYPTION11 = "{http://www.w3.org/2009/xmlenc11#}"

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)

AWS_ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"


def read_instant(text: str | None) -> datetime | None:
    """An xs:dateTime in UTC as SAML demands it (Core 1.3.3), or None for anything else."""
    if not text or not _INSTANT.fullmatch(text):  # Python reads other forms of ISO 8601 as well
        return None
    try:
        return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        return None


def text_of(element: etree._Element) -> str:
    """All text inside the element, so that nothing inside can cut it short."""
    return "".join(str(part) for part in element.itertext())
