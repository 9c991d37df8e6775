"""An encrypted assertion is the signed one to the byte, and software of others can read it."""

from __future__ import annotations

import base64
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import xmlsec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from saml2.sigver import CryptoBackendXmlSec1, SecurityContext

from idp.saml.encryption import BadEncryptionKey, EncryptionKey
from idp.saml.response import Attribute, SignedResponse, build_response
from idp.saml.signature import ALGORITHMS
from tests import independent
from tests.conftest import require_program
from tests.independent import SAML
from tests.making import ROLE_ATTRIBUTE, memory_key, statement

XENC = "{http://www.w3.org/2001/04/xmlenc#}"
READER = memory_key(number=20)
TO = EncryptionKey.of(READER.private.public_key())


def build(*attributes: Attribute, sign_response: bool = False) -> SignedResponse:
    return build_response(
        statement(*attributes),
        memory_key(),
        ALGORITHMS["sha256"],
        sign_response=sign_response,
        encrypt_to=TO,
    )


def reader_pem() -> bytes:
    return READER.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def reading() -> Any:
    """The reader's key as xmlsec takes it."""
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(reader_pem(), xmlsec.constants.KeyDataFormatPem))
    return manager


def decrypted(xml: bytes) -> bytes:
    """What python-xmlsec finds inside, as the bytes that were encrypted."""
    root = etree.fromstring(xml)
    data = root.find(f"{SAML}EncryptedAssertion/{XENC}EncryptedData")
    assert data is not None
    del data.attrib["Type"]  # so that it gives the bytes and puts nothing into the tree
    found: Any = xmlsec.EncryptionContext(reading()).decrypt(data)
    return bytes(found)


@settings(max_examples=25, deadline=None)
@given(
    value=st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
        max_size=60,
    ),
    sign_response=st.booleans(),
)
def test_inside_is_the_signed_assertion_to_the_byte(value: str, sign_response: bool) -> None:
    made = build(Attribute(ROLE_ATTRIBUTE, (value,)), sign_response=sign_response)
    inside = decrypted(made.xml)
    assertion = etree.fromstring(inside)
    assert assertion.tag == f"{SAML}Assertion"
    assert assertion.get("ID") == made.assertion_id
    assert etree.tostring(assertion, method="c14n", exclusive=True) == inside
    assert independent.verify_with_xmlsec(inside, memory_key().x509) == 1
    assert independent.verify_with_signxml(inside, memory_key().x509) == 1
    assert [found.text or "" for found in assertion.iter(f"{SAML}AttributeValue")] == [value]


@pytest.mark.parametrize("sign_response", [False, True])
def test_the_response_is_valid_and_its_signature_is_over_the_encrypted_form(
    sign_response: bool,
) -> None:
    xml = build(sign_response=sign_response).xml
    independent.assert_valid_response(xml)
    root = etree.fromstring(xml)
    assert root.find(f"{SAML}Assertion") is None
    assert b"Audience" not in xml
    wanted = 1 if sign_response else 0
    assert independent.verify_with_xmlsec(xml, memory_key().x509) == wanted
    assert independent.verify_with_signxml(xml, memory_key().x509) == wanted


def test_it_uses_aes_256_gcm_and_rsa_oaep_and_a_key_for_each() -> None:
    roots = [etree.fromstring(build().xml) for _ in range(2)]
    methods = [str(e.get("Algorithm")) for e in roots[0].iter(f"{XENC}EncryptionMethod")]
    assert methods == [
        "http://www.w3.org/2009/xmlenc11#aes256-gcm",
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
    ]
    values = [[e.text for e in root.iter(f"{XENC}CipherValue")] for root in roots]
    assert not set(values[0]) & set(values[1])


def test_the_xmlsec1_program_decrypts_it(tmp_path: Path) -> None:
    program = require_program("xmlsec1", "xmlsec1")
    made = build(sign_response=True)
    (tmp_path / "message.xml").write_bytes(made.xml)
    (tmp_path / "reader.pem").write_bytes(reader_pem())
    command = [program, "--decrypt", "--privkey-pem", str(tmp_path / "reader.pem")]
    done = subprocess.run(
        [*command, str(tmp_path / "message.xml")], capture_output=True, check=True
    )
    assertion = etree.fromstring(done.stdout).find(f"{SAML}EncryptedAssertion/{SAML}Assertion")
    assert assertion is not None
    assert assertion.get("ID") == made.assertion_id
    alone = etree.tostring(assertion, method="c14n", exclusive=True)
    assert alone == decrypted(made.xml)
    assert independent.verify_with_xmlsec1(program, alone, memory_key().x509, tmp_path)


def test_pysaml2_decrypts_it(tmp_path: Path) -> None:
    program = require_program("xmlsec1", "xmlsec1")
    (tmp_path / "reader.pem").write_bytes(reader_pem())
    backend = CryptoBackendXmlSec1(program)
    context = SecurityContext(backend, enc_key_files=[str(tmp_path / "reader.pem")])
    made = build()
    text = context.decrypt_keys(made.xml.decode(), [str(tmp_path / "reader.pem")])
    assertion = etree.fromstring(text.encode()).find(f".//{SAML}Assertion")
    assert assertion is not None
    assert assertion.get("ID") == made.assertion_id


@pytest.mark.parametrize("sign_response", [False, True])
def test_python3_saml_decrypts_it_and_verifies_both_signatures(sign_response: bool) -> None:
    made = build_response(
        statement(issued=datetime.now(UTC)),
        memory_key(),
        ALGORITHMS["sha256"],
        sign_response=sign_response,
        encrypt_to=TO,
    )
    judged = OneLogin_Saml2_Response(one_login(sign_response), made.form_value())
    assert judged.get_attributes() == {ROLE_ATTRIBUTE: ["role,provider"]}
    assert judged.get_nameid() == "7f3b"
    address = {"https": "on", "http_host": "signin.aws.amazon.com", "script_name": "/saml"}
    assert judged.is_valid(address), judged.get_error()


def one_login(sign_response: bool) -> Any:
    return OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {
                "entityId": "urn:amazon:webservices",
                "assertionConsumerService": {"url": "https://signin.aws.amazon.com/saml"},
                "NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
                "x509cert": READER.certificate,
                "privateKey": reader_pem().decode(),
            },
            "idp": {
                "entityId": "https://idp.example.com/metadata",
                "singleSignOnService": {"url": "https://idp.example.com/sso"},
                "x509cert": memory_key().certificate,
            },
            "security": {
                "wantAssertionsEncrypted": True,
                "wantAssertionsSigned": True,
                "wantMessagesSigned": sign_response,
                "rejectDeprecatedAlgorithm": True,
            },
        }
    )


def test_another_key_opens_nothing() -> None:
    manager = xmlsec.KeysManager()
    other = memory_key(number=21).private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    manager.add_key(xmlsec.Key.from_memory(other, xmlsec.constants.KeyDataFormatPem))
    data = etree.fromstring(build().xml).find(f".//{XENC}EncryptedData")
    assert data is not None
    with pytest.raises(xmlsec.Error):
        xmlsec.EncryptionContext(manager).decrypt(data)


def test_many_threads_encrypt_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: build().xml, range(80)))
    assert len({etree.fromstring(decrypted(xml)).get("ID") for xml in made}) == 80


def test_only_sound_rsa_keys_are_taken() -> None:
    small = rsa.generate_private_key(65537, 1024).public_key()
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    info = PublicFormat.SubjectPublicKeyInfo
    for pem, words in (
        (small.public_bytes(Encoding.PEM, info).decode(), "1024 bits"),
        (curve.public_bytes(Encoding.PEM, info).decode(), "not a public RSA key"),
        (reader_pem().decode(), "not a public RSA key"),
        ("rubbish", "not a public RSA key"),
    ):
        with pytest.raises(BadEncryptionKey, match=words):
            EncryptionKey.parse(pem)
    assert EncryptionKey.parse(TO.pem) == TO
    assert TO.bits == 2048


def test_the_form_grows_by_no_more_than_it_must() -> None:
    plain = build_response(statement(), memory_key(), ALGORITHMS["sha256"]).xml
    inside = len(base64.b64encode(plain))
    assert len(build().xml) < inside + 2_300
