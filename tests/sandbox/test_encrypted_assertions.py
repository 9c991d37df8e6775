"""Encrypted assertions at the sandbox: read with the provider's keys, or refused as IAM would."""

from __future__ import annotations

import base64
from copy import deepcopy
from dataclasses import dataclass, replace

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from idp.sandbox.judge import Judgement, Provider, judge_response
from tests.sandbox.account import Account
from tests.sandbox.encrypting import XENC, around, encrypted, sealed, signed_assertion
from tests.sandbox.maker import DS, ISSUER, NOW, A, Recipe, add, encode, keys

UUID = "SAMLSP4SHN3UIS2D558H46"
OWN = f"http://127.0.0.1:8081/saml/acs/{UUID}"
RECIPE = Recipe(endpoint=OWN)
INVALID = "Your request included an invalid SAML response."


def private(name: str) -> RSAPrivateKey:
    found = load_pem_private_key(keys(name).private_pem, None)
    assert isinstance(found, RSAPrivateKey)
    return found


PROVIDER = Provider(
    ISSUER,
    (keys().public_pem,),
    requires_encryption=True,
    uuid=UUID,
    private_keys=(private("encryption"),),
)


def judge(text: str, provider: Provider = PROVIDER, endpoint: str = OWN) -> Judgement:
    return judge_response(text, provider=provider, endpoints=(endpoint,), now=NOW)


def broken(judgement: Judgement) -> list[str]:
    return [check.name for check in judgement.refusals]


@pytest.mark.parametrize("content", ["aes128-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm"])
@pytest.mark.parametrize("signed", [False, True], ids=["assertion signed", "both signed"])
def test_reads_what_aws_documents(content: str, signed: bool) -> None:
    judgement = judge(encrypted(RECIPE, content=content, signed=signed))
    assert broken(judgement) == []
    assert judgement.verdict is not None
    assert judgement.verdict.session_name == "ann@example.com"
    assert judgement.verdict.recipient == OWN


@pytest.mark.parametrize(
    ("content", "transport"),
    [
        ("aes192-gcm", "rsa-oaep"),
        ("aes192-cbc", "rsa-oaep"),
        ("tripledes-cbc", "rsa-oaep"),
        ("aes256-gcm", "rsa-1_5"),
    ],
)
def test_refuses_other_algorithms(content: str, transport: str) -> None:
    judgement = judge(encrypted(RECIPE, content=content, transport=transport))
    assert broken(judgement) == ["encryption-algorithm"]
    assert judgement.refusals[0].aws_error.message == INVALID


def test_the_newest_key_is_tried_first_and_the_older_one_after_it() -> None:
    both = replace(PROVIDER, private_keys=(private("newer"), private("encryption")))
    assert broken(judge(encrypted(RECIPE, to="newer"), both)) == []
    assert broken(judge(encrypted(RECIPE), both)) == []
    assert broken(judge(encrypted(RECIPE, to="stranger"), both)) == ["decryption"]


def test_refuses_what_does_not_fit_mode_and_keys() -> None:
    without = replace(PROVIDER, requires_encryption=False, private_keys=())
    allowed = replace(PROVIDER, requires_encryption=False)
    assert broken(judge(encrypted(RECIPE), without)) == ["encryption"]
    assert broken(judge(RECIPE.text())) == ["encryption"]
    assert broken(judge(RECIPE.text(), allowed)) == []
    assert broken(judge(encrypted(RECIPE), allowed)) == []


@pytest.mark.parametrize("required", [True, False])
def test_what_is_encrypted_goes_to_the_providers_own_address(required: bool) -> None:
    provider = replace(PROVIDER, requires_encryption=required)
    for path in ("/saml", "/saml/acs/SAMLSPOTHER00000000000000", f"/saml/{UUID}"):
        address = f"http://127.0.0.1:8081{path}"
        text = encrypted(Recipe(endpoint=address))
        assert broken(judge(text, provider, address)) == ["encryption-endpoint"]


def test_what_was_signed_is_read_and_nothing_else() -> None:
    unsigned = RECIPE.build().find(A + "Assertion")
    assert unsigned is not None
    forged = around(RECIPE, sealed(etree.tostring(unsigned)))
    assert broken(judge(encode(forged))) == ["signature-place"]
    other = signed_assertion(RECIPE).replace(b"ann@example.com", b"bob@example.com")
    assert broken(judge(encode(around(RECIPE, sealed(other))))) == ["signature"]
    stranger = encrypted(replace(RECIPE, signing="stranger"))
    assert broken(judge(stranger)) == ["signature"]


def wrapped_twice() -> etree._Element:
    inner = etree.tostring(sealed(signed_assertion(RECIPE)))
    return around(RECIPE, sealed(inner))


def two() -> etree._Element:
    return around(RECIPE, *(sealed(signed_assertion(RECIPE)) for _ in range(2)))


def plain_beside(first: bool) -> etree._Element:
    plain = RECIPE.signed().find(A + "Assertion")
    assert plain is not None
    both = [plain, sealed(signed_assertion(RECIPE))]
    return around(RECIPE, *(both if first else reversed(both)))


def elsewhere() -> etree._Element:
    root = around(RECIPE)
    extensions = add(root, "{urn:oasis:names:tc:SAML:2.0:protocol}Extensions")
    extensions.append(sealed(signed_assertion(RECIPE)))
    return root


def with_two_keys(nested: bool) -> etree._Element:
    holder = sealed(signed_assertion(RECIPE))
    key = next(holder.iter(XENC + "EncryptedKey"))
    if nested:
        info = etree.SubElement(key, DS + "KeyInfo")
        info.append(deepcopy(key))
        key.insert(1, info)
    else:
        key.addnext(deepcopy(key))
    return around(RECIPE, holder)


def of_content() -> etree._Element:
    holder = sealed(signed_assertion(RECIPE))
    holder[0].set("Type", "http://www.w3.org/2001/04/xmlenc#Content")
    return around(RECIPE, holder)


def holding(octets: bytes) -> etree._Element:
    return around(RECIPE, sealed(octets))


BOMB = b"<!DOCTYPE a [<!ENTITY b 'bbbbbbbb'><!ENTITY c '&b;&b;&b;&b;'>]><a>&c;&c;&c;</a>"
DEEP = b"<a>" * 3_000 + b"</a>" * 3_000
REUSED = signed_assertion(RECIPE).replace(b'ID="_assertion"', b'ID="_response"')
ODD = [
    ("decryption", wrapped_twice()),
    ("encryption-form", two()),
    ("one-assertion", plain_beside(True)),
    ("one-assertion", plain_beside(False)),
    ("encryption-form", elsewhere()),
    ("encryption-form", with_two_keys(nested=True)),
    ("encryption-form", with_two_keys(nested=False)),
    ("encryption-form", of_content()),
    ("encryption-form", around(RECIPE, etree.Element(A + "EncryptedAssertion"))),
    ("decryption", holding(b"not XML")),
    ("decryption", holding(b"\xff\xfe\x00")),
    ("decryption", holding(BOMB)),
    ("decryption", holding(DEEP)),
    ("decryption", holding(b"<a/>")),
    ("decryption", holding(etree.tostring(RECIPE.signed()))),
    ("decryption", holding(signed_assertion(RECIPE) * 2)),
    ("unique-ids", holding(REUSED)),
]


@pytest.mark.parametrize(
    ("rule", "root"), ODD, ids=[f"{n}-{rule}" for n, (rule, _) in enumerate(ODD)]
)
def test_refuses_odd_forms(rule: str, root: etree._Element) -> None:
    judgement = judge(encode(root))
    assert judgement.verdict is None
    assert broken(judgement)[0] == rule


def test_an_answer_to_a_request_is_seen_inside_too() -> None:
    def answer(root: etree._Element) -> None:
        next(root.iter(A + "SubjectConfirmationData")).set("InResponseTo", "_x")

    text = encrypted(replace(RECIPE, change=answer))
    assert broken(judge(text)) == ["unsolicited"]


SOUND = encrypted(RECIPE)


def values(root: etree._Element) -> list[etree._Element]:
    return list(root.iter(XENC + "CipherValue"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(which=st.integers(0, 1), data=st.data())
def test_no_spoilt_ciphertext_is_read_or_breaks_the_judge(which: int, data: st.DataObject) -> None:
    root = etree.fromstring(base64.b64decode(SOUND))
    value = values(root)[which]
    octets = bytearray(base64.b64decode(value.text or ""))
    kind = data.draw(st.sampled_from(["flip", "cut", "grow", "replace", "not base64"]))
    if kind == "flip":
        octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del octets[data.draw(st.integers(0, len(octets) - 1)) :]
    elif kind == "grow":
        octets += data.draw(st.binary(min_size=1, max_size=64))
    elif kind == "replace":
        octets = bytearray(data.draw(st.binary(max_size=600)))
    value.text = "*" if kind == "not base64" else base64.b64encode(octets).decode()
    judgement = judge(encode(root))
    assert judgement.verdict is None
    assert broken(judgement)[0] in ("decryption", "encryption-form")


@settings(max_examples=60, deadline=None)
@given(
    st.binary(min_size=1, max_size=400)
    | st.text(min_size=1, max_size=200).map(lambda text: text.encode())
)
def test_whatever_is_inside_gets_an_answer(octets: bytes) -> None:
    assert judge(encode(holding(octets))).verdict is None


@settings(max_examples=40, deadline=None)
@given(octets=st.binary(min_size=1, max_size=100))
def test_the_padding_of_cbc_is_told_from_a_wrong_key_by_nothing(octets: bytes) -> None:
    root = etree.fromstring(base64.b64decode(encrypted(RECIPE, content="aes256-cbc")))
    value = values(root)[1]
    value.text = base64.b64encode(octets).decode()
    spoilt = judge(encode(root))
    stranger = judge(encrypted(RECIPE, to="stranger", content="aes256-cbc"))
    assert [c.name for c in spoilt.refusals] == [c.name for c in stranger.refusals]
    assert spoilt.refusals[0].aws_error == stranger.refusals[0].aws_error


@dataclass(frozen=True)
class Encrypting:
    """An account whose provider holds a private key."""

    account: Account
    uuid: str

    @property
    def path(self) -> str:
        return f"/saml/acs/{self.uuid}"

    def recipe(self, *roles: str, path: str | None = None) -> Recipe:
        return self.account.recipe(*roles, path=path or self.path)


@pytest.fixture
def encrypting(account: Account) -> Encrypting:
    account.iam.update_saml_provider(
        SAMLProviderArn=account.provider,
        AddPrivateKey=keys("encryption").private_pem.decode(),
        AssertionEncryptionMode="Required",
    )
    held = account.iam.get_saml_provider(SAMLProviderArn=account.provider)
    made = Encrypting(account, held["SAMLProviderUUID"])
    aud = [f"{account.sandbox.address}{made.path}"]
    for name in ("First", "Second"):
        account.create_role(name, Condition={"StringEquals": {"SAML:aud": aud}})
    return made


def test_signs_in_at_the_api_and_at_the_console(encrypting: Encrypting) -> None:
    text = encrypted(encrypting.recipe("First"))
    assert encrypting.account.assume(text, "First")["Credentials"]["AccessKeyId"]
    page = encrypting.account.post(text, encrypting.path)
    assert page.status == 200
    assert "assumed-role/First/ann@example.com" in page.body


def test_the_chooser_reads_it_again_for_the_choice(encrypting: Encrypting) -> None:
    account = encrypting.account
    text = encrypted(encrypting.recipe("First", "Second"))
    assert "Select a role" in account.post(text, encrypting.path).body
    choice = f"{account.role('Second')},{account.provider}"
    page = account.post(text, encrypting.path, roleIndex=choice)
    assert "assumed-role/Second/" in page.body


def test_the_wrong_address_is_refused(encrypting: Encrypting) -> None:
    account = encrypting.account
    plain_url = encrypted(encrypting.recipe("First", path="/saml"))
    assert account.post(plain_url, "/saml").status == 400
    with pytest.raises(ClientError, match=INVALID):
        account.assume(plain_url, "First")
    text = encrypted(encrypting.recipe("First"))
    assert account.post(text, "/saml").status == 400
    assert account.post(text, "/saml/acs/SAMLSPNOBODY00000000000000").status == 400


def test_another_providers_key_opens_nothing(encrypting: Encrypting) -> None:
    other = Account.fresh(encrypting.account.sandbox)
    other.create_provider()
    other.iam.update_saml_provider(
        SAMLProviderArn=other.provider, AddPrivateKey=keys("other").private_pem.decode()
    )
    uuid = other.iam.get_saml_provider(SAMLProviderArn=other.provider)["SAMLProviderUUID"]
    text = encrypted(encrypting.recipe("First", path=f"/saml/acs/{uuid}"), to="other")
    page = encrypting.account.post(text, f"/saml/acs/{uuid}")
    assert page.status == 400


def test_a_plain_assertion_is_refused_where_encryption_is_required(encrypting: Encrypting) -> None:
    text = encrypting.recipe("First").text()
    with pytest.raises(ClientError, match=INVALID) as refused:
        encrypting.account.assume(text, "First")
    assert refused.value.response["Error"]["Code"] == "InvalidIdentityToken"
    assert encrypting.account.post(text, encrypting.path).status == 400


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_the_pages_answer_anything_encrypted_with_a_refusal(
    encrypting: Encrypting, data: st.DataObject
) -> None:
    octets = data.draw(st.binary(min_size=1, max_size=200) | st.just(BOMB) | st.just(DEEP))
    text = encode(around(encrypting.recipe("First"), sealed(octets)))
    assert encrypting.account.post(text, encrypting.path).status == 400


def test_an_oversized_one_is_refused(encrypting: Encrypting) -> None:
    text = encode(around(encrypting.recipe("First"), sealed(b"x" * 90_000)))
    assert len(text) > 100_000
    assert encrypting.account.post(text, encrypting.path).status == 400
