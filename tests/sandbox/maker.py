"""SAML responses made by hand for the tests of the sandbox: good ones, to be broken one by one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from lxml import etree

P = "{urn:oasis:names:tc:SAML:2.0:protocol}"
A = "{urn:oasis:names:tc:SAML:2.0:assertion}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
AWS = "https://aws.amazon.com/SAML/Attributes/"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ISSUER = "https://idp.example.com/metadata"
ENDPOINT = "http://127.0.0.1:8081/saml"
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Developer"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/ExampleIdP"

Change = Callable[[etree._Element], None]


@dataclass(frozen=True)
class Keys:
    """A key pair with its certificate."""

    private_pem: bytes
    public_pem: bytes
    certificate: bytes = field(repr=False)

    @property
    def certificate_text(self) -> str:
        return base64.b64encode(self.certificate).decode()


def keys(name: str = "idp", bits: int = 2048) -> Keys:
    """The key pair of that name, made once in a process."""
    return _keys(name, bits)


@cache
def _keys(name: str, bits: int) -> Keys:
    private = rsa.generate_private_key(65537, bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2021, 1, 1, tzinfo=UTC))  # AWS looks at no dates
        .sign(private, SHA256())
    )
    return Keys(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        certificate.public_bytes(Encoding.DER),
    )


def metadata(
    *certificates: str, entity_id: str = ISSUER, padding: int = 1000, use: str = 'use="signing"'
) -> str:
    """An identity provider's metadata."""
    found = certificates or (keys().certificate_text,)
    descriptors = "".join(
        f"<KeyDescriptor {use}><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>"
        for certificate in found
    )
    return (
        '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'xmlns:ds="{DS[1:-1]}" entityID="{entity_id}"><!--{"." * padding}-->'
        f'<IDPSSODescriptor protocolSupportEnumeration="{P[1:-1]}">{descriptors}'
        '<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
        'Location="https://idp.example.com/sso"/></IDPSSODescriptor></EntityDescriptor>'
    )


@dataclass(frozen=True)
class Recipe:
    """What a response says. `change` edits the tree before it is signed."""

    now: datetime = NOW
    endpoint: str = ENDPOINT
    issuer: str = ISSUER
    name_id: str = "a7f0c2"
    audience: str = "urn:amazon:webservices"
    attributes: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            AWS + "Role": (f"{ROLE},{PROVIDER}",),
            AWS + "RoleSessionName": ("ann@example.com",),
        }
    )
    change: Change = lambda _root: None
    signing: str = "idp"
    sign_response: bool = False
    digest: str = "sha256"

    def adding(self, **attributes: tuple[str, ...]) -> Recipe:
        """With further AWS attributes; a double underscore in a name means a colon."""
        more = {AWS + name.replace("__", ":"): values for name, values in attributes.items()}
        return replace(self, attributes={**self.attributes, **more})

    def build(self) -> etree._Element:
        """The unsigned response."""
        root = etree.Element(
            P + "Response",
            {"ID": "_response", "Version": "2.0", "IssueInstant": stamp(self.now)},
            {"samlp": P[1:-1], "saml": A[1:-1]},
        )
        root.set("Destination", self.endpoint)
        add(root, A + "Issuer", self.issuer)
        success = "urn:oasis:names:tc:SAML:2.0:status:Success"
        add(add(root, P + "Status"), P + "StatusCode", Value=success)
        assertion = add(
            root, A + "Assertion", ID="_assertion", Version="2.0", IssueInstant=stamp(self.now)
        )
        add(assertion, A + "Issuer", self.issuer)
        self._add_subject(assertion)
        until = stamp(self.now + timedelta(minutes=5))
        conditions = add(
            assertion,
            A + "Conditions",
            NotBefore=stamp(self.now - timedelta(minutes=1)),
            NotOnOrAfter=until,
        )
        add(add(conditions, A + "AudienceRestriction"), A + "Audience", self.audience)
        statement = add(assertion, A + "AuthnStatement", AuthnInstant=stamp(self.now))
        password = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
        add(add(statement, A + "AuthnContext"), A + "AuthnContextClassRef", password)
        held = add(assertion, A + "AttributeStatement")
        for name, values in self.attributes.items():
            attribute = add(held, A + "Attribute", Name=name)
            for value in values:
                add(attribute, A + "AttributeValue", value)
        return root

    def _add_subject(self, assertion: etree._Element) -> None:
        subject = add(assertion, A + "Subject")
        persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
        add(subject, A + "NameID", self.name_id, Format=persistent)
        bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
        add(
            add(subject, A + "SubjectConfirmation", Method=bearer),
            A + "SubjectConfirmationData",
            Recipient=self.endpoint,
            NotOnOrAfter=stamp(self.now + timedelta(minutes=5)),
        )

    def signed(self) -> etree._Element:
        """The response with its Assertion signed."""
        root = self.build()
        self.change(root)
        assertion = root.find(A + "Assertion")
        if assertion is not None:
            sign(assertion, self.signing, self.digest)
        if self.sign_response:
            sign(root, self.signing, self.digest)
        return root

    def text(self) -> str:
        """The response as it is posted."""
        return encode(self.signed())


def add(
    parent: etree._Element, tag: str, text: str | None = None, **attributes: str
) -> etree._Element:
    element = etree.SubElement(parent, tag, attributes)
    element.text = text
    return element


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def encode(root: etree._Element) -> str:
    return base64.b64encode(etree.tostring(root)).decode()


def sign(
    element: etree._Element, name: str = "idp", digest: str = "sha256", prefixes: str = ""
) -> etree._Element:
    """Sign `element` with python-xmlsec and give the signature."""
    constants = xmlsec.constants
    signature: etree._Element = xmlsec.template.create(
        element,
        constants.TransformExclC14N,
        getattr(constants, f"TransformRsa{digest.capitalize()}"),
        ns="ds",
    )
    element.insert(1, signature)
    reference = xmlsec.template.add_reference(
        signature,
        getattr(constants, f"Transform{digest.capitalize()}"),
        uri=f"#{element.get('ID')}",
    )
    xmlsec.template.add_transform(reference, constants.TransformEnveloped)
    exclusive = xmlsec.template.add_transform(reference, constants.TransformExclC14N)
    if prefixes:
        etree.SubElement(
            exclusive,
            "{http://www.w3.org/2001/10/xml-exc-c14n#}InclusiveNamespaces",
            PrefixList=prefixes,
        )
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(keys(name).private_pem, constants.KeyDataFormatPem)
    context.register_id(element, "ID")
    context.sign(signature)
    return signature
