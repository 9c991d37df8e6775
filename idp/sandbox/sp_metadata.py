"""The service-provider metadata of the sandbox, shaped like AWS's own."""

from __future__ import annotations

from typing import cast

from lxml import etree

from idp.sandbox.endpoints import sign_in_urls
from idp.sandbox.judge.names import AWS_ATTRIBUTES, METADATA, PROTOCOL
from idp.sandbox.judge.subject import FORMATS

ENTITY_ID = "urn:amazon:webservices"
_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_URI = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def service_provider_metadata(address: str, provider_uuid: str | None = None) -> bytes:
    """An EntityDescriptor with the sandbox's own endpoints as ACS; those of a provider by UUID."""
    # lxml takes None for the default namespace; its type stubs don't know.
    names = cast("dict[str, str]", {None: METADATA[1:-1]})
    root = etree.Element(f"{METADATA}EntityDescriptor", {"entityID": ENTITY_ID}, names)
    descriptor = etree.SubElement(
        root,
        f"{METADATA}SPSSODescriptor",
        {"protocolSupportEnumeration": PROTOCOL[1:-1], "WantAssertionsSigned": "true"},
    )
    for name_format in FORMATS:
        etree.SubElement(descriptor, f"{METADATA}NameIDFormat").text = name_format
    urls = sign_in_urls(address, provider_uuid)
    if provider_uuid:
        urls = tuple(url for url in urls if url.endswith(provider_uuid))
    for index, url in enumerate(urls, 1):
        etree.SubElement(
            descriptor,
            f"{METADATA}AssertionConsumerService",
            {"Binding": _POST, "Location": url, "index": str(index)}
            | ({"isDefault": "true"} if index == 1 else {}),
        )
    service = etree.SubElement(
        descriptor, f"{METADATA}AttributeConsumingService", {"index": "1", "isDefault": "true"}
    )
    name = etree.SubElement(service, f"{METADATA}ServiceName", {_LANGUAGE: "en"})
    name.text = "Sandbox AWS Management Console Single Sign-On"
    for friendly, attribute in (("RoleEntitlement", "Role"), ("RoleSessionName",) * 2):
        etree.SubElement(
            service,
            f"{METADATA}RequestedAttribute",
            {
                "Name": AWS_ATTRIBUTES + attribute,
                "NameFormat": _URI,
                "FriendlyName": friendly,
                "isRequired": "true",
            },
        )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
