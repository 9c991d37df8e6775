"""The forms in which people have a response at hand, and what it is held against."""

from __future__ import annotations

import base64
import html
from urllib.parse import quote, quote_plus, urlencode

import pytest

from idp.preflight.trust_policy import read_trust_policy
from tests.preflight.command import Command
from tests.preflight.test_every_rule import LONG, policy
from tests.sandbox import maker
from tests.sandbox.maker import PROVIDER, ROLE, Recipe, metadata

TEXT = Recipe().text()
XML = base64.b64decode(TEXT).decode()
WRAPPED = "\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76))
STATE = "https://console.aws.amazon.com/s3/?x=1&y=2"
PAGE = f"""<!DOCTYPE html><html><body onload="document.forms[0].submit()">
<form method="post" action="https://signin.aws.amazon.com/saml">
<input type="hidden" name="SAMLResponse" value="{html.escape(TEXT).replace("=", "&#x3d;")}"/>
<input type="hidden" name="RelayState" value=""/></form></body></html>"""

FORMS = [
    (TEXT, "base64"),
    (f"\ufeff  {TEXT}\r\n", "base64"),
    (WRAPPED, "base64 in several lines"),
    (XML, "XML"),
    ('<?xml version="1.0" encoding="UTF-8"?>\n' + XML, "XML"),
    (quote(TEXT, safe=""), "URL-encoded base64"),
    (urlencode({"SAMLResponse": TEXT}), "the form field SAMLResponse, URL-encoded"),
    (
        urlencode({"RelayState": STATE, "SAMLResponse": TEXT}),
        "the form field SAMLResponse, URL-encoded",
    ),
    (f"SAMLResponse={TEXT}&RelayState=", "the form field SAMLResponse, decoded"),
    (f"SAMLResponse: {TEXT}\nRelayState: \n", "as developer tools list it"),
    (f'{{"SAMLResponse": "{TEXT}", "RelayState": ""}}', "as developer tools list it"),
    (PAGE, "HTML page"),
]


@pytest.mark.parametrize(("given", "form"), FORMS)
def test_says_which_form_it_recognised(preflight: Command, given: str, form: str) -> None:
    done = preflight.judge(given)
    assert (done.broken, done.code) == ([], 0)
    assert form in done.document["read_as"]


def test_a_file_and_standard_input_are_the_same(preflight: Command) -> None:
    held = preflight.file("metadata.xml", metadata())
    fixed = ("--metadata", held, "--at", "issued", "--endpoint", maker.ENDPOINT)
    from_file = preflight("--response", preflight.file("r.txt", TEXT), *fixed)
    from_input = preflight("--response", "-", *fixed, stdin=TEXT)
    assert from_file == from_input
    assert from_file.out.startswith("AWS would take this.\n")


@pytest.mark.parametrize(
    "spoilt",
    [quote_plus(WRAPPED), TEXT.rstrip("=") + "%20", TEXT.replace("+", "-") + "%20", f"%20{TEXT}"],
)
def test_bad_base64_is_named_and_the_rest_judged_all_the_same(
    preflight: Command, spoilt: str
) -> None:
    done = preflight.judge(f"SAMLResponse={spoilt}")
    assert done.broken == ["base64"]
    assert "Invalid base64 SAMLResponse" in done.document["summary"]
    passed = {each["rule"] for each in done.document["checks"] if each["passed"]}
    assert "signature" in passed


def test_each_rule_is_a_line_with_value_seen_and_value_wanted(preflight: Command) -> None:
    held = preflight.file("metadata.xml", metadata())
    text = Recipe(audience="urn:other").text()
    done = preflight("--response", "-", "--metadata", held, "--at", "issued", stdin=text)
    lines = done.out.splitlines()
    assert lines[0] == (
        "AWS would refuse this: InvalidIdentityToken: "
        "Response does not contain the required audience."
    )
    marks = [line[0] for line in lines if line[:2] in ("✔ ", "✘ ", "• ")]
    assert len(marks) == len(preflight.judge(text).document["checks"])
    (broken,) = (at for at, line in enumerate(lines) if line.startswith("✘ audience"))
    assert "urn:other (wanted: urn:amazon:webservices" in lines[broken]
    story = "\n".join(lines[broken : broken + 5])
    assert "AWS says     InvalidIdentityToken: Response does not contain" in story
    assert "Change       Send the audience" in story
    assert "at the identity provider" in story


def test_an_undocumented_rule_is_said_to_be_one(preflight: Command) -> None:
    held = preflight.file("metadata.xml", metadata())
    text = Recipe(endpoint="https://eu-west-1.signin.aws.amazon.com/saml")
    root = text.build()
    root.set("InResponseTo", "_1")
    maker.sign(root[-1])
    done = preflight(
        "--response", "-", "--metadata", held, "--at", "issued", stdin=maker.encode(root)
    )
    assert done.code == 1
    assert "AWS does not document this" in done.out


def test_an_old_response_is_told_apart_and_judged_on(preflight: Command) -> None:
    held = preflight.file("metadata.xml", metadata())
    text = Recipe(audience="urn:other").text()
    done = preflight("--response", "-", "--metadata", held, "--json", stdin=text)
    assert {"five-minutes", "conditions-fresh", "audience"} <= set(done.broken)
    assert "Nothing but its age" not in "".join(done.document["remarks"])
    named = preflight.judge(text)
    assert named.broken == ["audience"]


def test_without_metadata_issuer_and_signature_are_left_open(preflight: Command) -> None:
    done = preflight.judge(Recipe().text(), metadata="")
    assert (done.code, done.document["outcome"], done.broken) == (2, "open", [])
    lines = {each["rule"]: each for each in done.document["checks"]}
    assert lines["signature"]["passed"] is None
    assert "metadata" in lines["signature"]["seen"]
    assert preflight.judge(Recipe(name_id="").text(), metadata="").code == 1


@pytest.mark.parametrize(
    ("partition", "endpoint", "audience"),
    [
        ("aws", "https://signin.aws.amazon.com/saml", "urn:amazon:webservices"),
        ("aws", "https://eu-central-1.signin.aws.amazon.com/saml", "urn:amazon:webservices"),
        (
            "aws",
            "https://us-west-2.signin.aws.amazon.com/saml/acs/SAMLSP4SHN3UIS2D558H46",
            "urn:amazon:webservices",
        ),
        ("aws-cn", "https://signin.amazonaws.cn/saml", "urn:amazon:webservices:cn-north-1"),
        (
            "aws-cn",
            "https://cn-north-1.signin.amazonaws.cn/saml",
            "urn:amazon:webservices:cn-north-1",
        ),
        (
            "aws-us-gov",
            "https://us-gov-west-1.signin.amazonaws-us-gov.com/saml",
            "urn:amazon:webservices:govcloud",
        ),
    ],
)
def test_the_recipient_is_known_if_it_is_an_endpoint_of_the_partition(
    preflight: Command, partition: str, endpoint: str, audience: str
) -> None:
    held = preflight.file("metadata.xml", metadata())
    role, provider = (arn.replace("arn:aws:", f"arn:{partition}:") for arn in (ROLE, PROVIDER))
    recipe = Recipe(endpoint=endpoint, audience=audience).adding(Role=(f"{role},{provider}",))
    options = ("--metadata", held, "--at", "issued", "--json")
    done = preflight("--response", "-", *options, stdin=recipe.text())
    assert (done.broken, done.document["endpoint"]) == ([], endpoint)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://signin.amazonaws.cn/saml",
        "https://signin.aws.amazon.com/static/saml",
        "https://signin.aws.amazon.com.evil.example/saml",
        "https://eu-west-1.signin.aws.amazon.com/saml/SAMLSP4SHN3UIS2D558H46",
        "http://signin.aws.amazon.com/saml",
        "https://cn-north-1.signin.aws.amazon.com/saml",
    ],
)
def test_any_other_recipient_is_held_against_the_default_endpoint(
    preflight: Command, elsewhere: str
) -> None:
    held = preflight.file("metadata.xml", metadata())
    options = ("--metadata", held, "--at", "issued", "--json")
    done = preflight("--response", "-", *options, stdin=Recipe(endpoint=elsewhere).text())
    assert done.broken == ["destination", "recipient"]
    assert done.document["endpoint"] == "https://signin.aws.amazon.com/saml"


def test_the_role_asked_for_is_the_one_that_is_tried(preflight: Command) -> None:
    recipe = Recipe().adding(Role=(f"{ROLE},{PROVIDER}", f"{ROLE}2,{PROVIDER}"))
    done = preflight.judge(recipe.text(), "--role", f"{ROLE}2")
    assert (done.code, done.document["role"]) == (0, f"{ROLE}2")


def test_what_get_role_prints_is_taken_as_a_trust_policy(preflight: Command) -> None:
    role = (
        '{"Role": {"RoleName": "Developer", "MaxSessionDuration": 3600, '
        f'"AssumeRolePolicyDocument": {policy()}}}}}'
    )
    for mark in ("", "\ufeff"):  # as some editors save it
        file = preflight.file("role.json", mark + role)
        assert preflight.judge(LONG.text(), "--trust-policy", file).broken == ["session-length"]
        assert read_trust_policy(mark + role).longest == 3600
