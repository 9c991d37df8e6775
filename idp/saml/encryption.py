"""Encrypting an Assertion that is signed already (SAML core 2.3.4, XML Encryption 1.1).

AES-256-GCM with a key of its own for each assertion, which RSA-OAEP carries. What is encrypted is
the exclusive canonical form: it stands by itself, needs no namespace of the Response around it,
and is to the byte what the signature covers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import xmlsec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from lxml import etree

from idp.errors import IdpError
from idp.saml.canonical_xml import CanonicalXml
from idp.saml.signature import canonical
from idp.saml.xml import ASSERTION

SMALLEST_KEY = 2048  # bits
_ENCRYPTED_ASSERTION = f"{{{ASSERTION}}}EncryptedAssertion"
_MOST_MANAGERS = 1_000


class BadEncryptionKey(IdpError):
    """A key that nothing can be encrypted to, or should be."""


class NotEncrypted(IdpError):
    """The assertion could not be encrypted, so there is none."""

    status = 503


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A public RSA key of whoever may read assertions.

    `pem` is its SubjectPublicKeyInfo, `fingerprint` the SHA-256 of that in DER, in hex.
    """

    pem: str
    fingerprint: str

    @property
    def bits(self) -> int:
        """The length of the key."""
        return _public_key(self.pem).key_size

    @classmethod
    def of(cls, key: RSAPublicKey) -> EncryptionKey:
        """The key made ready for use. Raises BadEncryptionKey for one under 2,048 bits."""
        if key.key_size < SMALLEST_KEY:
            raise BadEncryptionKey(
                f"The encryption key has {key.key_size} bits.",
                f"It needs {SMALLEST_KEY} or more.",
            )
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return cls(pem.decode("ascii"), hashlib.sha256(der).hexdigest())

    @classmethod
    def parse(cls, pem: str) -> EncryptionKey:
        """Read a public key. Raises BadEncryptionKey for anything but RSA of 2,048 bits or more."""
        return cls.of(_public_key(pem))


def _public_key(pem: str) -> RSAPublicKey:
    try:
        key = load_pem_public_key(pem.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise BadEncryptionKey("The encryption key is not a public RSA key in PEM.")
    return key


def encrypted_assertion(assertion: CanonicalXml, key: EncryptionKey) -> CanonicalXml:
    """A saml:EncryptedAssertion for an assertion. Raises NotEncrypted."""
    holder = etree.Element(_ENCRYPTED_ASSERTION, nsmap={"saml": ASSERTION})
    try:
        holder.append(_encrypted_data(holder, assertion.encode(), key))
    except (xmlsec.Error, ValueError, TypeError):
        raise NotEncrypted(
            "The assertion could not be encrypted; none was made.",
            "Look at the account's key with: idp aws encryption status",
        ) from None
    return CanonicalXml(canonical(holder).decode())


def _encrypted_data(holder: etree._Element, octets: bytes, key: EncryptionKey) -> etree._Element:
    constants, template = xmlsec.constants, xmlsec.template
    data: etree._Element = template.encrypted_data_create(
        holder, constants.TransformAes256Gcm, type=constants.TypeEncElement, ns="xenc"
    )
    template.encrypted_data_ensure_cipher_value(data)
    key_info = template.encrypted_data_ensure_key_info(data, ns="ds")
    carried = template.add_encrypted_key(key_info, constants.TransformRsaOaep)
    template.encrypted_data_ensure_cipher_value(carried)
    context = xmlsec.EncryptionContext(_manager(key.pem))
    context.key = xmlsec.Key.generate(constants.KeyDataAes, 256, constants.KeyDataTypeSession)
    made: etree._Element = context.encrypt_binary(data, octets)
    return _without_line_breaks(made)


@lru_cache(_MOST_MANAGERS)
def _manager(pem: str) -> xmlsec.KeysManager:
    """The key where xmlsec looks for it. Making one takes 10 ms; it is only read after that."""
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(pem.encode("ascii"), xmlsec.constants.KeyDataFormatPem))
    return manager


def _without_line_breaks(data: etree._Element) -> etree._Element:
    """The form that is posted has a limit, and the line breaks are 2 % of it."""
    for element in data.iter():
        element.text = "".join(element.text.split()) if element.text else None
        element.tail = None
    return data
