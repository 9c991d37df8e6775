"""Responses of other people's identity providers pass where they are right."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from lxml import etree

from tests.conftest import require_program
from tests.preflight.command import Command
from tests.preflight.pysaml2_provider import ACS, PEOPLE, Pysaml2Provider
from tests.sandbox.maker import AWS, PROVIDER, ROLE, A, Recipe, encode, metadata, sign

RECORDED = Path(__file__).parent / "recorded"
CERTIFICATE = (RECORDED / "certificate.txt").read_text().strip()


@pytest.fixture
def pysaml2(tmp_path: Path) -> Pysaml2Provider:
    return Pysaml2Provider(tmp_path, require_program("xmlsec1", "xmlsec1"))


@pytest.mark.parametrize("sign_response", [False, True], ids=["assertion", "both"])
def test_pysaml2_with_xmlsec1(
    preflight: Command, pysaml2: Pysaml2Provider, sign_response: bool
) -> None:
    held = preflight.file("idp.xml", pysaml2.metadata())
    response = pysaml2.response(sign_response=sign_response)
    done = preflight("--response", "-", "--metadata", held, "--json", stdin=response)
    assert (done.broken, done.code) == ([], 0)
    assert done.document["endpoint"] == ACS
    seen = {each["rule"]: each["seen"] for each in done.document["checks"]}
    assert seen["response-signature"] == ("verified" if sign_response else "unsigned")


def test_pysaml2_where_it_is_wrong(preflight: Command, pysaml2: Pysaml2Provider) -> None:
    held = preflight.file("idp.xml", pysaml2.metadata())
    spaced = PEOPLE | {AWS + "RoleSessionName": ["Ann Example"]}
    for response, rules in (
        (pysaml2.response(spaced), ["role-session-name-form"]),
        (pysaml2.response(in_response_to="id-1"), ["unsolicited"]),
        (pysaml2.response(recipient=ACS + "/sso"), ["destination", "recipient"]),
    ):
        done = preflight("--response", "-", "--metadata", held, "--json", stdin=response)
        assert (done.broken, done.code) == (rules, 1)


@pytest.mark.parametrize(
    ("name", "library"),
    [("samlp", "samlp"), ("samlp-both-signed", "samlp"), ("samlify", "samlify")],
)
def test_recorded_responses_of_node_libraries(preflight: Command, name: str, library: str) -> None:
    document = metadata(CERTIFICATE, entity_id=f"https://{library}.example.com/metadata")
    held = preflight.file("idp.xml", document)
    words = ("--response", str(RECORDED / f"{name}.xml"), "--metadata", held, "--json")
    done = preflight(*words, "--at", "issued")
    assert (done.broken, done.code) == ([], 0)
    late = preflight(*words)
    assert late.code == 1
    assert late.broken == ["five-minutes", "conditions-fresh", "confirmation-fresh"]
    assert "Nothing but its age is wrong" in "".join(late.document["remarks"])
    other = preflight.file(
        "other.xml", metadata(entity_id=f"https://{library}.example.com/metadata")
    )
    wrong_key = preflight(*words[:3], other, "--json", "--at", "issued")
    assert wrong_key.broken[0] == "signature"


def reshaped(root: etree._Element) -> etree._Element:
    """The same message as AD FS and Keycloak write it: other prefixes, types, NameFormats."""
    for value in root.iter(f"{A}AttributeValue"):
        value.set("{http://www.w3.org/2001/XMLSchema-instance}type", "xs:string")
    for attribute in root.iter(f"{A}Attribute"):
        attribute.set("NameFormat", "urn:oasis:names:tc:SAML:2.0:attrname-format:basic")
        attribute.set("FriendlyName", "Session Role")
    text = etree.tostring(root, encoding="unicode")
    text = text.replace("saml:", "x:").replace(":saml=", ":x=").replace("samlp", "q")
    return etree.fromstring(text.replace("<q:Response", '<q:Response xmlns:xs="urn:types"', 1))


def test_prefixes_types_and_name_formats_do_not_matter(preflight: Command) -> None:
    root = reshaped(Recipe().build())
    assertion = root.find(f"{A}Assertion")
    assert assertion is not None
    sign(assertion)
    sign(root)
    done = preflight.judge(encode(root))
    assert (done.broken, done.code) == ([], 0)


def test_white_space_may_stand_between_elements_and_not_in_values(preflight: Command) -> None:
    root = Recipe().build()
    etree.indent(root, space="\t")
    assertion = root.find(f"{A}Assertion")
    assert assertion is not None
    sign(assertion)
    assert preflight.judge(etree.tostring(root)).broken == []

    def indent(root: etree._Element) -> None:
        for value in root.iter(f"{A}AttributeValue"):
            value.text = f"\n      {value.text}\n    "

    broken = preflight.judge(Recipe(change=indent).text()).broken
    assert broken == ["attribute-values", "role-session-name-form"]


def test_a_role_attribute_for_each_role_as_keycloak_sends_by_default(preflight: Command) -> None:
    def repeat(root: etree._Element) -> None:
        (attribute,) = root.findall(f".//{A}Attribute[@Name='{AWS}Role']")
        twin = etree.fromstring(etree.tostring(attribute))
        twin[0].text = f"{ROLE}2,{PROVIDER}"
        attribute.addnext(twin)

    done = preflight.judge(Recipe(change=repeat).text())
    assert done.broken == ["attribute-once"]
    assert done.document["summary"].startswith("AWS would refuse this, if it checks")


def test_recordings_are_what_they_are_said_to_be() -> None:
    for path in RECORDED.glob("*.xml"):
        assert base64.b64decode(CERTIFICATE)
        assert CERTIFICATE in path.read_text().replace("\n", "")
