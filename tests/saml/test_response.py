"""A response says what it should, and software of others agrees that it is well signed."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from idp.saml.canonical_xml import UnspeakableValue
from idp.saml.response import Attribute, NameId, SignedResponse, build_response
from idp.saml.signature import ALGORITHMS, canonical
from tests import independent
from tests.conftest import require_program
from tests.independent import DS, SAML, SAMLP
from tests.making import NOON, ROLE_ATTRIBUTE, MemoryKey, memory_key, statement


def build(
    *attributes: Attribute,
    sign_response: bool = False,
    key: MemoryKey | None = None,
    digest: str = "sha256",
) -> SignedResponse:
    signer = key or memory_key()
    return build_response(
        statement(*attributes), signer, ALGORITHMS[digest], sign_response=sign_response
    )


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("sign_response", [False, True])
@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_every_choice_of_signature_verifies_with_two_other_libraries(
    digest: str, sign_response: bool, bits: int
) -> None:
    key = memory_key(bits)
    xml = build(digest=digest, sign_response=sign_response, key=key).xml
    wanted = 2 if sign_response else 1
    assert independent.verify_with_xmlsec(xml, key.x509) == wanted
    assert independent.verify_with_signxml(xml, key.x509) == wanted
    independent.assert_valid_response(xml)


def test_the_xmlsec1_program_verifies_it_and_refuses_another_key(tmp_path: Path) -> None:
    program = require_program("xmlsec1", "xmlsec1")
    xml = build(sign_response=True).xml
    assert independent.verify_with_xmlsec1(program, xml, memory_key().x509, tmp_path)
    other = memory_key(number=2).x509
    assert not independent.verify_with_xmlsec1(program, xml, other, tmp_path)


def test_the_signature_is_byte_for_byte_the_one_that_xmlsec_makes() -> None:
    key = memory_key()
    xml = build().xml
    root = etree.fromstring(xml)
    xmlsec.tree.add_ids(root, ["ID"])
    signature = root.find(f"{SAML}Assertion/{DS}Signature")
    assert signature is not None
    ours = signature.findtext(DS + "SignatureValue")
    signature.find(DS + "SignatureValue").text = None  # type: ignore[union-attr]
    context = xmlsec.SignatureContext()
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem)
    context.sign(signature)
    theirs = signature.findtext(DS + "SignatureValue")
    assert theirs is not None
    assert ours == "".join(theirs.split())


@pytest.mark.parametrize("place", ["NameID", "Audience", "AttributeValue"])
def test_a_changed_value_breaks_the_signature(place: str) -> None:
    root = etree.fromstring(build().xml)
    element = next(root.iter(SAML + place))
    element.text = (element.text or "") + "x"
    with pytest.raises(xmlsec.VerificationError):
        independent.verify_with_xmlsec(etree.tostring(root), memory_key().x509)


def test_it_tells_true_times_and_answers_nobody() -> None:
    root = etree.fromstring(build().xml)
    assertion = root.find(SAML + "Assertion")
    assert assertion is not None
    conditions = assertion.find(SAML + "Conditions")
    data = next(assertion.iter(SAML + "SubjectConfirmationData"))
    authn = assertion.find(SAML + "AuthnStatement")
    assert conditions is not None
    assert authn is not None

    def at(seconds: int) -> str:
        return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert root.get("IssueInstant") == assertion.get("IssueInstant") == at(0)
    assert conditions.get("NotBefore") == at(-60)
    assert conditions.get("NotOnOrAfter") == data.get("NotOnOrAfter") == at(300)
    assert authn.get("AuthnInstant") == at(-180)
    assert authn.get("SessionNotOnOrAfter") is None
    assert root.get("InResponseTo") is None
    assert data.get("InResponseTo") is None
    assert data.get("Recipient") == root.get("Destination") == "https://signin.aws.amazon.com/saml"
    audiences = [element.text for element in assertion.iter(SAML + "Audience")]
    assert audiences == ["urn:amazon:webservices"]


def test_identifiers_are_names_of_160_random_bits() -> None:
    made = [build() for _ in range(20)]
    names = [name for response in made for name in (response.response_id, response.assertion_id)]
    assert len(set(names)) == 40
    assert all(re.fullmatch(r"_[0-9a-f]{40}", name) for name in names)


def test_the_form_value_is_clean_base64_of_the_message() -> None:
    response = build()
    value = response.form_value()
    assert re.fullmatch(r"[A-Za-z0-9+/]+=*", value)
    assert base64.b64decode(value, validate=True) == response.xml
    root = etree.fromstring(response.xml)
    assert root.tag == SAMLP + "Response"
    assert root.get("ID") == response.response_id


@pytest.mark.parametrize(
    "value",
    [
        "</saml:AttributeValue>",
        "<!-- x -->",
        "]]>",
        "&amp;&#0;",
        "\u202eright to left",
        "\U0001f511",
        "a" * 256,
        " spaces ",
        "line\nbreak\ttab",
    ],
)
def test_any_text_arrives_as_it_was_given(value: str) -> None:
    xml = build(Attribute(ROLE_ATTRIBUTE, (value, "second"))).xml
    assert independent.verify_with_xmlsec(xml, memory_key().x509) == 1
    independent.assert_valid_response(xml)
    values = [element.text for element in etree.fromstring(xml).iter(SAML + "AttributeValue")]
    assert values == [value, "second"]


@given(st.text())
def test_no_text_ever_breaks_out_of_its_element(value: str) -> None:
    try:
        xml = build(Attribute(ROLE_ATTRIBUTE, (value,))).xml
    except UnspeakableValue:
        return
    root = etree.fromstring(xml)
    values = [element.text or "" for element in root.iter(SAML + "AttributeValue")]
    assert values == [value]
    assert len(list(root.iter(SAML + "Assertion"))) == 1


@given(st.lists(st.text(), min_size=7, max_size=7), st.booleans())
def test_the_message_is_its_own_canonical_form_whatever_it_says(
    values: list[str], sign_response: bool
) -> None:
    """So what was signed is what any receiver will canonicalise, by libxml2's opinion as well."""
    issuer, recipient, audience, name_id, name, value, index = values
    said = replace(
        statement(Attribute(name, (value, name)), Attribute("empty", ())),
        issuer=issuer,
        recipient=recipient,
        audience=audience,
        name_id=NameId(name_id, index),
        session_index=index,
        authn_context=issuer,
    )
    key = memory_key()
    try:
        xml = build_response(said, key, ALGORITHMS["sha256"], sign_response=sign_response).xml
    except UnspeakableValue:
        assert not all(_can_be_xml(each) for each in values)
        return
    root = etree.fromstring(xml)
    assert canonical(root) == xml
    assert all(canonical(part) in xml for part in root.iter(SAML + "Assertion"))
    assert independent.verify_with_xmlsec(xml, key.x509) == 1 + sign_response
    assert root.get("Destination") == recipient
    assert [each.text or "" for each in root.iter(SAML + "Issuer")] == [issuer, issuer]
    assert root.findtext(f".//{SAML}Audience") == audience
    assert root.findtext(f".//{SAML}NameID") == name_id
    assert [each.get("Name") for each in root.iter(SAML + "Attribute")] == [name, "empty"]
    assert [each.text or "" for each in root.iter(SAML + "AttributeValue")] == [value, name]
    (authn,) = root.iter(SAML + "AuthnStatement")
    assert authn.get("SessionIndex") == index


def _can_be_xml(value: str) -> bool:
    try:
        etree.Element("x").text = value
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("value", ["\x00", "\x08", "\x1f", "\ud800", "\ufffe"])
def test_what_xml_can_not_carry_is_refused_before_signing(value: str) -> None:
    with pytest.raises(UnspeakableValue):
        build(Attribute(ROLE_ATTRIBUTE, (value,)))
