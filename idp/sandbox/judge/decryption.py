"""XML Encryption as AWS documents it for assertions: AES in GCM or CBC mode, keys by RSA-OAEP.

Source: IAM User Guide, "Create a SAML identity provider in IAM": AES-128, AES-256, RSA-OAEP;
AES-CBC, AES-GCM. Which hashes AWS takes in OAEP isn't said; the usual ones are taken here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from lxml import etree

from idp.sandbox.judge.names import ENCRYPTION, ENCRYPTION11, SIGNATURE, text_of

BLOCK, NONCE, TAG = 16, 12, 16  # bytes
# By algorithm: the length of the key in bytes, and whether the mode is GCM.
CONTENT = {
    "http://www.w3.org/2009/xmlenc11#aes128-gcm": (16, True),
    "http://www.w3.org/2009/xmlenc11#aes256-gcm": (32, True),
    "http://www.w3.org/2001/04/xmlenc#aes128-cbc": (16, False),
    "http://www.w3.org/2001/04/xmlenc#aes256-cbc": (32, False),
}
OAEP_SHA1_MASK = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
OAEP_ANY_MASK = "http://www.w3.org/2009/xmlenc11#rsa-oaep"
_SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    _SHA1: hashes.SHA1,
    "http://www.w3.org/2001/04/xmlenc#sha256": hashes.SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashes.SHA512,
}
_MASKS: dict[str, type[hashes.HashAlgorithm]] = {
    f"http://www.w3.org/2009/xmlenc11#mgf1{kind.name}": kind
    for kind in (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)
}


@dataclass(frozen=True, slots=True)
class Sealed:
    """An EncryptedData and the one EncryptedKey for it, taken apart."""

    content: str
    transport: str
    digest: str
    mask: str
    carried_key: bytes
    octets: bytes

    @property
    def algorithms(self) -> str:
        """What it is encrypted with, for a person."""
        return f"{self.content or 'none'} with {self.transport or 'none'}"

    @property
    def known(self) -> bool:
        """Whether AWS takes the algorithms."""
        masked = self.transport == OAEP_SHA1_MASK or self.mask in _MASKS
        return (
            self.content in CONTENT
            and self.transport in (OAEP_SHA1_MASK, OAEP_ANY_MASK)
            and self.digest in _DIGESTS
            and masked
        )


def take_apart(encrypted: etree._Element) -> Sealed | None:
    """Read an EncryptedAssertion, or None if it hasn't the shape of SAML core 2.3.4.

    The key stands in the KeyInfo of the data, or beside the data; there is exactly one, for only
    one receiver is known, and it is in one piece.
    """
    data = encrypted.findall(f"{ENCRYPTION}EncryptedData")
    keys = list(encrypted.iter(f"{ENCRYPTION}EncryptedKey"))
    if len(data) != 1 or len(keys) != 1 or len(list(encrypted.iter(data[0].tag))) != 1:
        return None
    at_home = (encrypted, data[0].find(f"{SIGNATURE}KeyInfo"))
    if not any(keys[0].getparent() is home for home in at_home if home is not None):
        return None
    if data[0].get("Type", f"{ENCRYPTION[1:-1]}Element") != f"{ENCRYPTION[1:-1]}Element":
        return None
    octets, carried = _cipher_value(data[0]), _cipher_value(keys[0])
    if octets is None or carried is None:
        return None
    method = keys[0].find(f"{ENCRYPTION}EncryptionMethod")
    return Sealed(
        content=_algorithm(data[0].find(f"{ENCRYPTION}EncryptionMethod")),
        transport=_algorithm(method),
        digest=_algorithm(_child(method, f"{SIGNATURE}DigestMethod"), _SHA1),
        mask=_algorithm(_child(method, f"{ENCRYPTION11}MGF"), f"{ENCRYPTION11[1:-1]}mgf1sha1"),
        carried_key=carried,
        octets=octets,
    )


def decrypt(sealed: Sealed, keys: Sequence[RSAPrivateKey]) -> bytes | None:
    """What is inside, by the first of `keys` that fits; None, for whatever reason, if none does.

    One answer for a wrong key, a wrong tag and wrong padding: nothing is to be learnt from it.
    """
    if not sealed.known:
        return None
    for key in keys:
        secret = _carried(sealed, key)
        opened = None if secret is None else _opened(sealed, secret)
        if opened is not None:
            return opened
    return None


def _carried(sealed: Sealed, key: RSAPrivateKey) -> bytes | None:
    hashing = _DIGESTS[sealed.digest]
    mask = hashes.SHA1 if sealed.transport == OAEP_SHA1_MASK else _MASKS[sealed.mask]
    try:
        return key.decrypt(sealed.carried_key, OAEP(MGF1(mask()), hashing(), None))
    except ValueError:
        return None


def _opened(sealed: Sealed, secret: bytes) -> bytes | None:
    length, authenticated = CONTENT[sealed.content]
    if len(secret) != length:
        return None
    octets = sealed.octets
    if authenticated:
        if len(octets) < NONCE + TAG:
            return None
        try:
            return AESGCM(secret).decrypt(octets[:NONCE], octets[NONCE:], None)
        except InvalidTag:
            return None
    if len(octets) < 2 * BLOCK or len(octets) % BLOCK:
        return None
    decryptor = Cipher(AES(secret), CBC(octets[:BLOCK])).decryptor()
    padded = decryptor.update(octets[BLOCK:]) + decryptor.finalize()
    # XML Encryption 5.2.1: the last byte alone says how much is padding.
    return padded[: -padded[-1]] if 1 <= padded[-1] <= BLOCK else None


def _cipher_value(element: etree._Element) -> bytes | None:
    found = element.findall(f"{ENCRYPTION}CipherData/{ENCRYPTION}CipherValue")
    if len(found) != 1:
        return None
    try:
        return base64.b64decode("".join(text_of(found[0]).split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _child(element: etree._Element | None, tag: str) -> etree._Element | None:
    return None if element is None else element.find(tag)


def _algorithm(element: etree._Element | None, default: str = "") -> str:
    return default if element is None else element.get("Algorithm", "")
