"""Requests that are wrong in every way are answered with 4xx, never 5xx, never credentials."""

from __future__ import annotations

import base64
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from idp.aws.arn import ProviderArn
from idp.sandbox.trust_context import name_qualifier
from tests.sandbox.account import Account, Running, post

FORM = "application/x-www-form-urlencoded"
GOOD = "A" * 100


@pytest.mark.parametrize(
    "path", ["/saml", "/eu-west-1/saml", "/saml/acs/X", "/cn-north-1/saml/acs/X"]
)
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("", FORM),
        ("SAMLResponse=", FORM),
        ("SAMLResponse=%00", FORM),
        (f"SAMLResponse={GOOD}&SAMLResponse={GOOD}", FORM),
        (f"SAMLResponse={GOOD}&RelayState=a&RelayState=b", FORM),
        (f"SAMLResponse={GOOD}&RelayState=%00%ff%fe", FORM),
        ("SAMLResponse=%ff%fe%fd", FORM),
        ("SAMLResponse=%F0%9F%92%A9", FORM),
        (f"SAMLResponse={GOOD}&roleIndex=x", FORM),
        ("SAMLResponse=<script>alert(1)</script>", FORM),
        ("SAMLResponse=" + "A" * 10_000_000, FORM),
        ("SAMLResponse=" + "A" * 150_000, FORM),
        ("&".join(f"a{n}=1" for n in range(5000)), FORM),
        ('{"SAMLResponse": "x"}', "application/json"),
        ("--x\r\nbroken", "multipart/form-data; boundary=x"),
        ("x", "text/plain; charset=nonsense"),
    ],
    ids=range(16),
)
def test_a_bad_form_is_answered_4xx(running: Running, path: str, body: str, kind: str) -> None:
    page = post(running.address, path, body, kind)
    assert 400 <= page.status < 500
    assert "<h1>" in page.body
    assert "<script" not in page.body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/saml"),
        ("PUT", "/saml"),
        ("GET", "/nothing"),
        ("POST", "/moto-api/reset"),
        ("POST", "/atlantis-1/saml"),
        ("GET", "/static/saml/X/saml-metadata.xml"),
        ("GET", "/static/%2e%2e/app.py"),
        ("GET", "/_sandbox/static/..%2f..%2fapp.py"),
    ],
)
def test_other_addresses_are_answered_4xx(running: Running, method: str, path: str) -> None:
    assert 400 <= post(running.address, path, "", method=method).status < 500


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[", "0"]
)
def test_other_host_names_are_refused(running: Running, host: str) -> None:
    assert post(running.address, "/saml", "", host=host).status == 421
    assert post(running.address, "/", "Action=GetCallerIdentity", host=host).status == 421


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Action": "GetCallerIdentity"},
        {"Action": "AssumeRoleWithSAML"},
        {"Action": "AssumeRoleWithSAML", "RoleArn": "x", "PrincipalArn": "y", "SAMLAssertion": "z"},
        {"Action": "CreateSAMLProvider", "Name": "x"},
        {"Action": "AssumeRoleWithWebIdentity", "WebIdentityToken": "garbage"},
        {"Action": "\x00"},
    ],
)
def test_unsigned_api_calls_are_answered_4xx(running: Running, fields: dict[str, str]) -> None:
    page = post(running.address, "/", urlencode(fields))
    assert 400 <= page.status < 500
    assert "AccessKeyId" not in page.body


@pytest.mark.parametrize("seconds", ["899", "43201", "x", "-1", "1e9", "٣", "9" * 40])
def test_a_bad_duration_is_answered_4xx(account: Account, seconds: str) -> None:
    body = {
        "Action": "AssumeRoleWithSAML",
        "RoleArn": account.role(),
        "PrincipalArn": account.provider,
        "SAMLAssertion": account.recipe().text(),
        "DurationSeconds": seconds,
    }
    assert post(account.sandbox.address, "/", urlencode(body)).status == 400


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_mutation_of_a_good_response_ends_in_5xx(account: Account, data: st.DataObject) -> None:
    good = etree.tostring(account.recipe(PrincipalTag__Team=("blue",)).signed())
    bent = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(bent) - 1))
        length = data.draw(st.integers(0, 40))
        bent[at : at + length] = data.draw(st.binary(max_size=12))
    page = account.post(base64.b64encode(bent).decode())
    assert page.status == 200 if bytes(bent) == good else page.status < 500
    if page.status == 200:
        # Only what no signature covers may have changed.
        assert "assumed-role/Developer/ann@example.com" in page.body


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(max_size=80), value=st.text(max_size=300), relay=st.text(max_size=200))
def test_any_text_in_fields_is_answered_below_500(
    running: Running, name: str, value: str, relay: str
) -> None:
    fields = {"SAMLResponse": value, "RelayState": relay, "roleIndex": name}
    body = urlencode(fields, errors="surrogatepass")
    assert post(running.address, "/saml", body).status < 500
    api = urlencode({"Action": name, "SAMLAssertion": value}, errors="surrogatepass")
    assert post(running.address, "/", api).status < 500


def test_the_name_qualifier_is_what_sts_documents() -> None:
    provider = ProviderArn("aws", "123456789012", "MySAMLIdP")
    assert name_qualifier("https://example.com/saml", provider) == "1uAJanUnBc2XeUkHURMht+xam2c="
