"""The judge: a good response passes, and each broken one fails by exactly its rule."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from lxml import etree

from idp.aws.arn import RoleArn
from idp.sandbox.judge import RULES, Judgement, Provider, judge_response
from tests.sandbox import maker
from tests.sandbox.maker import AWS, DS, ENDPOINT, ISSUER, NOW, PROVIDER, ROLE, A, P, Recipe

TRUSTED = Provider(ISSUER, (maker.keys().public_pem,), PROVIDER)


def judge(text: str, now: datetime = NOW, provider: Provider | None = TRUSTED) -> Judgement:
    return judge_response(text, provider=provider, endpoints=(ENDPOINT,), now=now)


def broken(judgement: Judgement) -> list[str]:
    return [check.name for check in judgement.refusals]


def find(root: etree._Element, path: str) -> etree._Element:
    found = root.find(path)
    assert found is not None
    return found


def within(tag: str) -> str:
    return f".//{A}{tag}"


def test_accepts_a_good_response_and_reads_it() -> None:
    recipe = Recipe().adding(
        SessionDuration=("7200",),
        SourceIdentity=("ann",),
        PrincipalTag__Team=("blue sky",),
        TransitiveTagKeys=("Team",),
    )
    judgement = judge(recipe.text())
    assert broken(judgement) == []
    verdict = judgement.verdict
    assert verdict is not None
    assert [(str(pair.role), str(pair.provider)) for pair in verdict.roles] == [(ROLE, PROVIDER)]
    assert verdict.session_name == "ann@example.com"
    assert verdict.duration == 7200
    assert verdict.source_identity == "ann"
    assert verdict.tags == {"Team": "blue sky"}
    assert verdict.transitive == ("Team",)
    assert verdict.recipient == ENDPOINT
    assert verdict.issuer == ISSUER
    assert verdict.name_id_format.endswith(":persistent")
    assert all(check.passed for check in judgement.checks)


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_accepts_each_allowed_digest(digest: str) -> None:
    assert judge(Recipe(digest=digest).text()).verdict


def test_accepts_a_response_that_is_signed_twice() -> None:
    assert judge(Recipe(sign_response=True).text()).verdict


def test_accepts_the_pair_in_either_order() -> None:
    assert judge(Recipe().adding(Role=(f"{PROVIDER},{ROLE}",)).text()).verdict


def test_accepts_any_of_several_keys_of_the_metadata() -> None:
    provider = replace(TRUSTED, keys=(maker.keys("old").public_pem, maker.keys().public_pem))
    assert judge(Recipe().text(), provider=provider).verdict


def test_accepts_a_prefix_list_with_namespaces_of_ancestors() -> None:
    def list_prefixes(root: etree._Element) -> None:
        for value in root.iter(f"{A}AttributeValue"):
            value.set("{http://www.w3.org/2001/XMLSchema-instance}type", "xs:string")

    root = etree.Element(P + "Response", nsmap={"xs": "http://www.w3.org/2001/XMLSchema"})
    built = Recipe(change=list_prefixes).build()
    list_prefixes(built)
    for name, value in built.items():
        root.set(name, value)
    root.extend(list(built))
    assertion = find(root, f"{A}Assertion")
    maker.sign(assertion, prefixes="xs")
    assert judge(maker.encode(root)).verdict


def test_ignores_key_info() -> None:
    root = Recipe(signing="stranger").signed()
    info = maker.add(find(root, f".//{DS}Signature"), f"{DS}KeyInfo")
    stranger = maker.keys("stranger").certificate_text
    maker.add(maker.add(info, f"{DS}X509Data"), f"{DS}X509Certificate", stranger)
    assert broken(judge(maker.encode(root))) == ["signature"]


Break = Callable[[etree._Element], object]


def put(path: str, name: str, value: str) -> Break:
    return lambda root: find(root, path).set(name, value)


def drop(path: str, name: str) -> Break:
    return lambda root: find(root, path).attrib.pop(name)


def write(path: str, text: str) -> Break:
    return lambda root: setattr(find(root, path), "text", text)


def remove(path: str) -> Break:
    def change(root: etree._Element) -> None:
        element = find(root, path)
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)

    return change


def again(path: str) -> Break:
    def change(root: etree._Element) -> None:
        element = find(root, path)
        element.addnext(etree.fromstring(etree.tostring(element, with_tail=False)))

    return change


def at(seconds: int) -> str:
    return maker.stamp(NOW + timedelta(seconds=seconds))


DATA, CONDITIONS = within("SubjectConfirmationData"), within("Conditions")
INVALID = "Your request included an invalid SAML response."
NO_DATA = "Responses must contain SubjectConfirmatonData with a Recipient and NotOnOrAfter"
NOT_AUTHORIZED = "Not authorized to perform sts:AssumeRoleWithSAML"
EXPIRED = "Response has expired"
FOREIGN = "Issuer not present in specified provider"
NO_AUDIENCE = "Response does not contain the required audience."
OTHER = "https://elsewhere.example.com/saml"

CHANGES: list[tuple[str, str, Break]] = [
    ("response", INVALID, put(".", "Version", "1.1")),
    (
        "status",
        "The identity provider reported",
        put(f".//{P}StatusCode", "Value", "urn:Responder"),
    ),
    ("one-assertion", INVALID, remove(f"{A}Assertion")),
    ("destination", INVALID, put(".", "Destination", OTHER)),
    ("unsolicited", INVALID, put(".", "InResponseTo", "_1")),
    ("unsolicited", INVALID, put(DATA, "InResponseTo", "_1")),
    ("issuer", FOREIGN, write(f"{A}Assertion/{A}Issuer", "https://other.example.com")),
    ("issuer", FOREIGN, remove(f"{A}Assertion/{A}Issuer")),
    ("response-issuer", FOREIGN, write(f"{A}Issuer", "https://other.example.com")),
    ("assertion", INVALID, put(f"{A}Assertion", "Version", "1.1")),
    ("issue-instant", INVALID, put(f"{A}Assertion", "IssueInstant", at(61))),
    ("issue-instant", INVALID, put(f"{A}Assertion", "IssueInstant", "yesterday")),
    ("issue-instant", INVALID, put(f"{A}Assertion", "IssueInstant", "2026-03-01T12:00:00+01:00")),
    ("issue-instant", INVALID, put(f"{A}Assertion", "IssueInstant", "20260301T120000Z")),
    ("issue-instant", INVALID, put(f"{A}Assertion", "IssueInstant", "2026-03-01T12:00Z")),
    (
        "five-minutes",
        "Token must be redeemed within 5 minutes of issuance",
        put(f"{A}Assertion", "IssueInstant", at(-301)),
    ),
    ("conditions", INVALID, remove(CONDITIONS)),
    ("conditions", INVALID, drop(CONDITIONS, "NotOnOrAfter")),
    ("conditions-not-before", INVALID, put(CONDITIONS, "NotBefore", at(61))),
    ("conditions-fresh", EXPIRED, put(CONDITIONS, "NotOnOrAfter", at(0))),
    ("audience", NO_AUDIENCE, write(within("Audience"), "urn:amazon:webservices:govcloud")),
    ("audience", NO_AUDIENCE, remove(within("AudienceRestriction"))),
    ("authn-statement", INVALID, remove(within("AuthnStatement"))),
    (
        "session-not-on-or-after",
        EXPIRED,
        put(within("AuthnStatement"), "SessionNotOnOrAfter", at(0)),
    ),
    ("name-id", NOT_AUTHORIZED, remove(within("NameID"))),
    ("name-id", NOT_AUTHORIZED, write(within("NameID"), "")),
    ("name-id-format", INVALID, put(within("NameID"), "Format", "urn:home-made")),
    ("confirmation", NO_DATA, put(within("SubjectConfirmation"), "Method", "urn:other")),
    ("confirmation", NO_DATA, again(within("SubjectConfirmation"))),
    ("confirmation-data", NO_DATA, drop(DATA, "Recipient")),
    ("confirmation-data", NO_DATA, drop(DATA, "NotOnOrAfter")),
    ("confirmation-data", NO_DATA, remove(DATA)),
    ("recipient", NOT_AUTHORIZED, put(DATA, "Recipient", OTHER)),
    ("recipient", NOT_AUTHORIZED, put(DATA, "Recipient", ENDPOINT + "/")),
    ("confirmation-not-before", INVALID, put(DATA, "NotBefore", at(-9))),
    ("confirmation-fresh", EXPIRED, put(DATA, "NotOnOrAfter", at(0))),
    ("attribute-once", INVALID, again(f".//{A}Attribute[@Name='{AWS}Role']")),
]


@pytest.mark.parametrize(("rule", "words", "change"), CHANGES)
def test_names_the_one_rule_that_is_broken(rule: str, words: str, change: Break) -> None:
    judgement = judge(Recipe(change=lambda root: (change(root), None)[1]).text())
    assert broken(judgement) == [rule]
    assert judgement.verdict is None
    assert judgement.refusal is not None
    assert judgement.refusal.aws_error.message.startswith(words)


TEXTS = [
    ("size", "abc"),
    ("size", "A" * 100_001),
    ("base64", "PHNh bWxw"),
    ("base64", "PHNhbWxw\n"),
    ("base64", "PHNhbWxwPg"),
    ("base64", "%3D%3D%3D%3D"),
    ("base64", "日本語日本語"),
    ("xml", base64.b64encode(b"not xml").decode()),
    ("xml", base64.b64encode(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>').decode()),
    ("xml", base64.b64encode(b"\x00\x01\x02\x03").decode()),
    ("response", base64.b64encode(b"<a/>").decode()),
]


@pytest.mark.parametrize(("rule", "text"), TEXTS)
def test_leaves_later_rules_open_when_nothing_can_be_read(rule: str, text: str) -> None:
    judgement = judge(text)
    assert broken(judgement) == [rule]
    after = judgement.checks[[check.name for check in judgement.checks].index(rule) + 1 :]
    assert {check.passed for check in after} == {None}


def test_a_response_that_is_too_short_is_not_called_too_long() -> None:
    short, long = judge("abc").refusal, judge("A" * 100_001).refusal
    assert short is not None
    assert short.aws_error.message.endswith("greater than or equal to 4")
    assert long is not None
    assert long.aws_error.message.endswith("less than or equal to 100000")


def test_names_encryption_as_what_is_in_the_way() -> None:
    def encrypt(root: etree._Element) -> None:
        assertion = find(root, f"{A}Assertion")
        root.replace(assertion, etree.Element(f"{A}EncryptedAssertion"))

    assert broken(judge(Recipe(change=encrypt).text())) == ["encryption"]
    strict = replace(TRUSTED, requires_encryption=True)
    assert broken(judge(Recipe().text(), provider=strict)) == ["encryption"]


def test_refuses_when_there_is_no_provider() -> None:
    judgement = judge(Recipe().text(), provider=None)
    assert broken(judgement) == ["provider"]
    assert "AuthSamlManifestNotFoundException" in judgement.refusals[0].aws_error.message


def test_refuses_when_five_minutes_have_gone_by() -> None:
    text = Recipe().text()
    assert judge(text, NOW + timedelta(seconds=299)).verdict
    assert "conditions-fresh" in broken(judge(text, NOW + timedelta(seconds=300)))


@pytest.mark.parametrize(
    ("partition", "audience"),
    [
        ("aws", "urn:amazon:webservices"),
        ("aws-cn", "urn:amazon:webservices:cn-north-1"),
        ("aws-us-gov", "urn:amazon:webservices:govcloud"),
    ],
)
def test_wants_the_audience_of_the_role_s_partition(partition: str, audience: str) -> None:
    role, provider = (arn.replace("arn:aws:", f"arn:{partition}:") for arn in (ROLE, PROVIDER))
    recipe = Recipe(audience=audience).adding(Role=(f"{role},{provider}",))
    assert judge(recipe.text()).verdict
    wrong = replace(recipe, audience="urn:amazon:webservices:elsewhere")
    assert broken(judge(wrong.text())) == ["audience"]


def test_the_chosen_role_decides_about_the_audience() -> None:
    china, provider = (arn.replace("arn:aws:", "arn:aws-cn:") for arn in (ROLE, PROVIDER))
    text = Recipe().adding(Role=(f"{ROLE},{PROVIDER}", f"{china},{provider}")).text()
    judgement = judge_response(
        text, provider=TRUSTED, endpoints=(ENDPOINT,), now=NOW, role=RoleArn.parse(china)
    )
    assert broken(judgement) == ["audience"]


def test_every_rule_has_a_name_of_its_own_and_advice() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.sentence and rule.advice and rule.error.message for rule in RULES)


def test_maps_eduperson_and_directory_attributes_to_condition_keys() -> None:
    attributes = {
        **Recipe().attributes,
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": ("staff", "member"),
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress": ("a@b.c",),
    }
    verdict = judge(Recipe(attributes=attributes).text()).verdict
    assert verdict is not None
    assert verdict.saml_values == {
        "saml:edupersonaffiliation": ("staff", "member"),
        "saml:mail": ("a@b.c",),
    }
