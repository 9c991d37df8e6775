"""Encrypted assertions made with python-xmlsec for the tests of the sandbox, sound or odd."""

from __future__ import annotations

from collections.abc import Callable

import xmlsec
from lxml import etree

from tests.sandbox.maker import A, Recipe, encode, keys, sign

XENC = "{http://www.w3.org/2001/04/xmlenc#}"
CONTENTS = {
    "aes128-cbc": (xmlsec.constants.TransformAes128Cbc, 128),
    "aes256-cbc": (xmlsec.constants.TransformAes256Cbc, 256),
    "aes128-gcm": (xmlsec.constants.TransformAes128Gcm, 128),
    "aes256-gcm": (xmlsec.constants.TransformAes256Gcm, 256),
    "aes192-gcm": (xmlsec.constants.TransformAes192Gcm, 192),
    "aes192-cbc": (xmlsec.constants.TransformAes192Cbc, 192),
    "tripledes-cbc": (xmlsec.constants.TransformDes3Cbc, 192),
}
TRANSPORTS = {
    "rsa-oaep": xmlsec.constants.TransformRsaOaep,
    "rsa-1_5": xmlsec.constants.TransformRsaPkcs1,
}


def sealed(
    octets: bytes,
    to: str = "encryption",
    content: str = "aes256-gcm",
    transport: str = "rsa-oaep",
) -> etree._Element:
    """An EncryptedAssertion with `octets` inside, readable with the key pair of that name."""
    holder = etree.Element(A + "EncryptedAssertion", nsmap={"saml": A[1:-1]})
    method, bits = CONTENTS[content]
    kind = xmlsec.constants.TypeEncElement
    data = xmlsec.template.encrypted_data_create(holder, method, type=kind, ns="xenc")
    xmlsec.template.encrypted_data_ensure_cipher_value(data)
    info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="ds")
    carried = xmlsec.template.add_encrypted_key(info, TRANSPORTS[transport])
    xmlsec.template.encrypted_data_ensure_cipher_value(carried)
    manager = xmlsec.KeysManager()
    pem = keys(to).public_pem
    manager.add_key(xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem))
    context = xmlsec.EncryptionContext(manager)
    made = (
        xmlsec.constants.KeyDataDes if content.startswith("triple") else xmlsec.constants.KeyDataAes
    )
    context.key = xmlsec.Key.generate(made, bits, xmlsec.constants.KeyDataTypeSession)
    holder.append(context.encrypt_binary(data, octets))
    return holder


def signed_assertion(recipe: Recipe) -> bytes:
    """The signed Assertion of a recipe, as a document of its own."""
    assertion = recipe.signed().find(A + "Assertion")
    assert assertion is not None
    return etree.tostring(assertion, method="c14n", exclusive=True)


def around(recipe: Recipe, *inside: etree._Element, signed: bool = False) -> etree._Element:
    """The Response of a recipe with these in place of its Assertion."""
    root = recipe.build()
    assertion = root.find(A + "Assertion")
    assert assertion is not None
    root.remove(assertion)
    root.extend(inside)
    if signed:
        sign(root)
    return root


def encrypted(
    recipe: Recipe,
    *,
    change: Callable[[etree._Element], None] = lambda _root: None,
    signed: bool = False,
    **how: str,
) -> str:
    """A whole response with its assertion encrypted, as it is posted; `change` spoils it."""
    root = around(recipe, sealed(signed_assertion(recipe), **how), signed=signed)
    change(root)
    return encode(root)
