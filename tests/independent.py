"""Software of others that judges our SAML: python-xmlsec, signxml, pysaml2's schemas, xmlsec1."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import xmlschema
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.verifier import SignatureConfiguration, XMLVerifier

DS = "{http://www.w3.org/2000/09/xmldsig#}"
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"


@cache
def schema(name: str) -> Any:
    """An OASIS schema as it ships with pysaml2, with those that it imports."""
    folder = Path(str(files("saml2"))) / "data" / "schemas"
    return xmlschema.XMLSchema(
        str(folder / name),
        locations={
            "http://www.w3.org/2000/09/xmldsig#": str(folder / "xmldsig-core-schema.xsd"),
            "http://www.w3.org/2001/04/xmlenc#": str(folder / "xenc-schema.xsd"),
            "urn:oasis:names:tc:SAML:2.0:assertion": str(folder / "saml-schema-assertion-2.0.xsd"),
            "http://www.w3.org/XML/1998/namespace": str(folder / "xml.xsd"),
        },
        allow="local",
    )


def assert_valid_response(xml: bytes) -> None:
    """The message is valid against the OASIS protocol schema."""
    schema("saml-schema-protocol-2.0.xsd").validate(etree.fromstring(xml))


def assert_valid_metadata(xml: bytes) -> None:
    """The document is valid against the OASIS metadata schema."""
    schema("saml-schema-metadata-2.0.xsd").validate(etree.fromstring(xml))


def signed_elements(root: etree._Element) -> list[etree._Element]:
    """The elements that carry an enveloped signature."""
    return [element for element in root.iter() if element.find(DS + "Signature") is not None]


def verify_with_xmlsec(xml: bytes, certificate: x509.Certificate) -> int:
    """Verify every signature with python-xmlsec; gives their number."""
    root = etree.fromstring(xml)
    found = signed_elements(root)
    for element in found:
        xmlsec.tree.add_ids(root, ["ID"])
        context = xmlsec.SignatureContext()
        pem = certificate.public_bytes(Encoding.PEM)
        context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)
        signature = element.find(DS + "Signature")
        assert signature is not None
        context.verify(signature)
    return len(found)


def verify_with_signxml(xml: bytes, certificate: x509.Certificate) -> int:
    """Verify every signature with signxml; gives their number."""
    root = etree.fromstring(xml)
    found = signed_elements(root)
    for element in found:
        own = etree.fromstring(etree.tostring(element))
        # signxml wants the signature as a direct child of what it verifies
        XMLVerifier().verify(
            own,
            x509_cert=certificate,
            id_attribute="ID",
            expect_config=SignatureConfiguration(location="./"),
        )
    return len(found)


def verify_with_xmlsec1(
    program: str, xml: bytes, certificate: x509.Certificate, folder: Path
) -> bool:
    """Whether the xmlsec1 program verifies the first signature, trusting this certificate alone."""
    (folder / "message.xml").write_bytes(xml)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    command = [program, "--verify", "--enabled-key-data", "rsa"]
    command += ["--pubkey-cert-pem", str(folder / "certificate.pem")]
    for element in (SAML + "Assertion", SAMLP + "Response"):
        command += ["--id-attr:ID", element.strip("{").replace("}", ":")]
    done = subprocess.run([*command, str(folder / "message.xml")], capture_output=True, check=False)
    return done.returncode == 0
