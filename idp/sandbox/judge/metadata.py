"""An identity provider's metadata as IAM reads it: entityID and signing keys, nothing else.

Dates in it (validUntil, certificates' expiry) are not looked at, as IAM doesn't either.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from idp.errors import IdpError
from idp.saml.xml import parse_untrusted
from idp.sandbox.judge.check import AwsError, Check, Notebook, Rule
from idp.sandbox.judge.names import METADATA, PROTOCOL, SIGNATURE, text_of

SHORTEST, LONGEST = 1_000, 10_000_000
MOST_KEYS, MOST_ENTITIES, SMALLEST_KEY = 10, 10, 1024
_SAML2 = PROTOCOL[1:-1]

_UNREADABLE = AwsError("InvalidInput", "Could not parse metadata")

RULES = (
    Rule(
        "metadata-size",
        "The metadata document has 1,000 to 10,000,000 characters.",
        AwsError(
            "ValidationError",
            "1 validation error detected: Value at 'sAMLMetadataDocument' failed to satisfy "
            "constraint: Member must have length between 1000 and 10000000",
        ),
        "Send the whole document; a small one may be padded with a comment or organisation data.",
    ),
    Rule(
        "metadata-bom",
        "It is UTF-8 without a byte order mark.",
        _UNREADABLE,
        "Save the file as UTF-8 without BOM.",
    ),
    Rule(
        "metadata-xml",
        "It is well-formed XML without a document type.",
        _UNREADABLE,
        "Download the metadata again and send it unchanged.",
    ),
    Rule(
        "metadata-entity",
        "It describes one identity provider: an entityID and an IDPSSODescriptor for SAML 2.0.",
        _UNREADABLE,
        "Use the metadata of an identity provider, not that of a service provider.",
    ),
    Rule(
        "metadata-keys",
        "It holds at least one certificate for signing.",
        _UNREADABLE,
        "Put the signing certificate into a KeyDescriptor of the IDPSSODescriptor.",
    ),
    Rule(
        "metadata-key-count",
        "It holds at most 10 keys.",
        AwsError("LimitExceeded", "Cannot exceed quota for KeysPerSAMLProvider: 10", 409),
        "Take certificates out that sign no more.",
    ),
    Rule(
        "metadata-key-size",
        "Its keys are RSA keys of 1,024 bits or more.",
        _UNREADABLE,
        "Sign with an RSA key of 2,048 bits or more.",
    ),
    Rule(
        "metadata-extensions",
        "No certificate has an extension twice.",
        _UNREADABLE,
        "Make a certificate without repeated extensions.",
    ),
)


@dataclass(frozen=True, slots=True)
class Provider:
    """What a SAML provider object in IAM holds to judge by.

    `keys` are public keys, PEM. `arn` and `uuid` (its unique identifier) are empty when the
    provider isn't an object in IAM. `private_keys` decrypt assertions, the newest first.
    """

    entity_id: str
    keys: tuple[bytes, ...]
    arn: str = ""
    requires_encryption: bool = False
    uuid: str = ""
    private_keys: tuple[RSAPrivateKey, ...] = field(default=(), repr=False)


def read_metadata(document: str, arn: str = "") -> tuple[Provider | None, tuple[Check, ...]]:
    """The provider that `document` describes, or None, and every rule held against it."""
    notebook = Notebook(RULES)
    provider = _read(document, arn, notebook)
    checks = notebook.checks()
    return (provider if all(check.passed for check in checks) else None), checks


def _read(document: str, arn: str, notebook: Notebook) -> Provider | None:
    size = f"{len(document):,} characters"
    if not notebook.note(
        "metadata-size", SHORTEST <= len(document) <= LONGEST, size, "1,000 to 10,000,000"
    ):
        return None
    marked = document.startswith("\ufeff")
    if not notebook.note("metadata-bom", not marked, "BOM" if marked else "no BOM", "no BOM"):
        return None
    try:
        root = parse_untrusted(document.encode("utf-8"), max_bytes=4 * LONGEST)
    except (IdpError, UnicodeEncodeError) as problem:
        notebook.note("metadata-xml", False, problem, "well-formed XML")
        return None
    notebook.note("metadata-xml", True, "well-formed")
    entities = [
        entity
        for entity in root.iter(f"{METADATA}EntityDescriptor")
        if entity.get("entityID") and _descriptors(entity)
    ]
    names = {str(entity.get("entityID")) for entity in entities}
    if not notebook.note(
        "metadata-entity",
        len(names) == 1,
        ", ".join(sorted(names)) or "no identity provider",
        "one identity provider",
    ):
        return None
    found = [
        text
        for entity in entities
        for descriptor in _descriptors(entity)
        for text in _certificates(descriptor)
    ]
    return Provider(names.pop(), _read_keys(found, notebook), arn)


def _descriptors(entity: etree._Element) -> list[etree._Element]:
    return [
        descriptor
        for descriptor in entity.findall(f"{METADATA}IDPSSODescriptor")
        if _SAML2 in descriptor.get("protocolSupportEnumeration", "").split()
    ]


def _certificates(descriptor: etree._Element) -> list[str]:
    return [
        text_of(element)
        for key in descriptor.findall(f"{METADATA}KeyDescriptor")
        if key.get("use", "signing") == "signing"
        for element in key.iter(f"{SIGNATURE}X509Certificate")
    ]


def _read_keys(texts: Sequence[str], notebook: Notebook) -> tuple[bytes, ...]:
    certificates = [_certificate(text) for text in texts]
    readable = [certificate for certificate in certificates if certificate is not None]
    if not notebook.note(
        "metadata-keys",
        bool(texts) and len(readable) == len(texts),
        f"{len(readable)} readable of {len(texts)}",
        "one or more, all readable",
    ):
        return ()
    notebook.note("metadata-key-count", len(texts) <= MOST_KEYS, len(texts), f"{MOST_KEYS} at most")
    repeated = [oid for certificate in readable for oid in _repeated_extensions(certificate)]
    notebook.note("metadata-extensions", not repeated, ", ".join(repeated) or "none", "none")
    keys, weak = [], []
    for certificate in readable:
        try:
            key = certificate.public_key()
        except ValueError as problem:
            weak.append(str(problem))
            continue
        if isinstance(key, RSAPublicKey) and key.key_size >= SMALLEST_KEY:
            keys.append(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        else:
            weak.append(f"{type(key).__name__} {getattr(key, 'key_size', '')}".strip())
    notebook.note(
        "metadata-key-size", not weak, ", ".join(weak) or "RSA", "RSA, 1,024 bits or more"
    )
    return tuple(keys)


def _certificate(text: str) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(
            base64.b64decode("".join(text.split()), validate=True)
        )
    except (binascii.Error, ValueError):
        return None


def _repeated_extensions(certificate: x509.Certificate) -> list[str]:
    try:
        found = Counter(extension.oid.dotted_string for extension in certificate.extensions)
    except x509.DuplicateExtension as problem:
        return [problem.oid.dotted_string]
    except ValueError:
        return ["unreadable"]
    return [oid for oid, times in found.items() if times > 1]
