"""The one function that parses XML from outside, and the namespaces of SAML."""

from __future__ import annotations

from lxml import etree

from idp.errors import IdpError

PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"

_BOM = "\ufeff"


class BadXml(IdpError):
    """Bytes from outside are not XML that we are willing to read."""


def parse_untrusted(data: bytes, *, max_bytes: int) -> etree._Element:
    """Parse XML from outside and give its root element.

    Refused with BadXml: more than `max_bytes`, anything but UTF-8, a document type declaration
    (so no entities, no external anything), processing instructions inside the root. Comments are
    dropped while parsing, so that no text can be cut in two by one (CVE-2017-11427 and its kin).
    libxml2's own limits on depth and size stay on.
    """
    if len(data) > max_bytes:
        raise BadXml(f"The XML is {len(data):,} bytes long; {max_bytes:,} is the most we read.")
    try:
        text = data.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError:
        raise BadXml("The XML is not UTF-8.", "Send it in UTF-8.") from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BadXml("The XML has a document type declaration.", "Send it without one.")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
    )
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except etree.XMLSyntaxError as problem:
        raise BadXml(f"The XML can't be read: {problem.msg}.") from None
    if next(root.iter(etree.ProcessingInstruction), None) is not None:
        raise BadXml("The XML has a processing instruction inside.", "Send it without.")
    return root
