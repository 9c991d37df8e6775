"""For each rule one response that breaks just it, and exactly that rule is named."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from lxml import etree

from tests.preflight.command import Command, Done
from tests.sandbox import maker
from tests.sandbox.maker import DS, PROVIDER, ROLE, A, Recipe, keys, metadata
from tests.sandbox.test_judge import CHANGES, TEXTS, Break, find, put, remove, within
from tests.sandbox.test_judge_attributes import VALUES

NEEDS_METADATA = {
    *("provider", "issuer", "response-issuer", "signature", "response-signature"),
    *(f"signature-{part}" for part in ("place", "reference", "transforms", "algorithm", "objects")),
}


def change(edit: Break) -> str:
    """A response that is changed before it is signed."""

    def quietly(root: etree._Element) -> None:
        edit(root)

    return Recipe(change=quietly).text()


def after(edit: Break) -> str:
    """A response that is changed after it was signed."""
    root = Recipe().signed()
    edit(root)
    return maker.encode(root)


def encrypt(root: etree._Element) -> None:
    root.replace(find(root, f"{A}Assertion"), etree.Element(f"{A}EncryptedAssertion"))


def unsign(root: etree._Element) -> None:
    assertion = find(root, f"{A}Assertion")
    assertion.remove(find(assertion, f"{DS}Signature"))


def add_to(path: str, tag: str) -> Break:
    return lambda root: maker.add(find(root, path), tag)


OTHERS: list[tuple[str, str]] = [
    ("base64", "SAMLResponse=" + Recipe().text()[:400] + "%0D%0A" + Recipe().text()[400:]),
    ("unique-ids", change(put(within("AuthnStatement"), "Id", "_response"))),
    ("encryption", change(encrypt)),
    ("attribute-statement", change(add_to(f"{A}Assertion", f"{A}AttributeStatement"))),
    ("signature-place", after(unsign)),
    ("signature-reference", after(put(f".//{DS}Reference", "URI", "#_other"))),
    ("signature-transforms", after(remove(f".//{DS}Transform"))),
    ("signature-algorithm", Recipe(digest="sha1").text()),
    ("signature-objects", after(add_to(f".//{DS}Signature", f"{DS}Object"))),
    ("signature", Recipe(signing="stranger").text()),
    ("response-signature", after(lambda root: maker.sign(root, "stranger"))),
]


def words(done: Done) -> str:
    first = next(each for each in done.document["checks"] if each["passed"] is False)
    return str(first["error"]["message"])


@pytest.mark.parametrize(("rule", "message", "edit"), CHANGES)
def test_names_the_rule_of_the_response(
    preflight: Command, rule: str, message: str, edit: Break
) -> None:
    done = preflight.judge(change(edit))
    assert (done.code, done.broken) == (1, [rule])
    assert words(done).startswith(message)
    assert message in done.document["summary"]


@pytest.mark.parametrize(("rule", "attributes"), VALUES)
def test_names_the_rule_of_the_attributes(
    preflight: Command, rule: str, attributes: dict[str, tuple[str, ...]]
) -> None:
    done = preflight.judge(Recipe().adding(**attributes).text())
    beside = {"tag-keys", "transitive-keys"} if any("\n" in name for name in attributes) else set()
    assert done.code == 1
    assert [name for name in done.broken if name not in beside] == [rule]


@pytest.mark.parametrize(
    ("rule", "text"),
    # Whatever has no form of a response at all is bad input instead, and white space around or
    # inside bare base64 comes from copying: another test.
    [(rule, text) for rule, text in TEXTS if text.isascii() and not set(text) & set(" \n")],
)
def test_names_the_rule_of_what_can_not_be_read(preflight: Command, rule: str, text: str) -> None:
    done = preflight.judge(text)
    assert (done.code, done.broken) == (1, [rule])


@pytest.mark.parametrize(("rule", "text"), OTHERS, ids=[rule for rule, _ in OTHERS])
def test_names_the_rule_of_form_and_signature(preflight: Command, rule: str, text: str) -> None:
    done = preflight.judge(text)
    # An encrypted assertion is named as what is in the way, and may well be right.
    code = 2 if rule == "encryption" else 1
    assert (done.code, done.broken) == (code, [rule])


def elliptic() -> str:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ec")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, day, day)
    return base64.b64encode(builder.sign(private, SHA256()).public_bytes(Encoding.DER)).decode()


def doubled_extension() -> str:
    """A certificate that has an extension twice; no library makes one, so its bytes are changed."""
    private = load_pem_private_key(keys().private_pem, None)
    assert isinstance(private, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "twice")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, day, day)
    for number in ("1.2.3.4.5", "1.2.3.4.6"):
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(number), b"\x05\x00")
        builder = builder.add_extension(extension, critical=False)
    der = builder.sign(private, SHA256()).public_bytes(Encoding.DER)
    return base64.b64encode(der.replace(b"\x2a\x03\x04\x06", b"\x2a\x03\x04\x05")).decode()


METADATA: list[tuple[str, str]] = [
    ("metadata-size", "<EntityDescriptor/>"),
    ("metadata-bom", "\ufeff" + metadata()),
    ("metadata-xml", metadata()[:-1]),
    ("metadata-xml", "<!DOCTYPE a>" + metadata()),
    ("metadata-entity", metadata().replace("IDPSSODescriptor", "SPSSODescriptor")),
    ("metadata-keys", metadata("bm90IGEgY2VydA==")),
    ("metadata-key-count", metadata(*[keys().certificate_text] * 11)),
    ("metadata-key-size", metadata(elliptic())),
    ("metadata-extensions", metadata(doubled_extension())),
]


@pytest.mark.parametrize(("rule", "document"), METADATA, ids=[rule for rule, _ in METADATA])
def test_names_the_rule_of_the_metadata(preflight: Command, rule: str, document: str) -> None:
    done = preflight.judge(Recipe().text(), metadata=document)
    assert (done.code, done.broken) == (1, [rule])
    unchecked = {each["rule"] for each in done.document["checks"] if each["passed"] is None}
    assert unchecked >= NEEDS_METADATA


def policy(**changes: object) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"SAML:aud": maker.ENDPOINT}},
        **changes,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def incompressible(number: int) -> str:
    """A tag value of 256 characters."""
    return "".join(hashlib.sha512(f"{number} {half}".encode()).hexdigest() for half in "ab")


TAGGED = Recipe().adding(PrincipalTag__Team=("blue",))
NAMED = Recipe().adding(SourceIdentity=("ann",))
LONG = Recipe().adding(SessionDuration=("7200",))
FULL = Recipe().adding(**{f"PrincipalTag__k{n}": (incompressible(n),) for n in range(40)})
RESERVED = Recipe().adding(
    Role=(f"{ROLE.replace('Developer', 'AWSReservedSSO_Admin_1')},{PROVIDER}",)
)
ASSUME = "sts:AssumeRoleWithSAML"
ELSEWHERE = {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}
ROLES: list[tuple[str, Recipe, list[str], str]] = [
    ("requested-role", Recipe(), ["--role", ROLE + "2"], policy()),
    ("role-reserved", RESERVED, [], policy()),
    ("packed-size", FULL, [], policy()),
    ("session-length", LONG, ["--max-session-duration", "3600"], policy()),
    ("trust-policy", Recipe(), [], policy(Condition=ELSEWHERE)),
    ("trust-policy", Recipe(), [], policy(Principal={"Federated": PROVIDER + "2"})),
    ("trust-policy", Recipe(), [], policy(Action="sts:AssumeRole")),
    ("trust-policy", Recipe(), [], policy(Effect="Deny")),
    ("trust-policy-tags", TAGGED, [], policy(Action=ASSUME)),
    ("trust-policy-source-identity", NAMED, [], policy(Action=ASSUME)),
]


@pytest.mark.parametrize(("rule", "recipe", "options", "trust"), ROLES)
def test_names_the_rule_of_the_role(
    preflight: Command, rule: str, recipe: Recipe, options: list[str], trust: str
) -> None:
    done = preflight.judge(
        recipe.text(), *options, "--trust-policy", preflight.file("trust.json", trust)
    )
    assert (done.code, done.broken) == (1, [rule])


def test_these_tables_leave_no_rule_out(preflight: Command) -> None:
    done = preflight.judge(Recipe().text())
    assert (done.code, done.broken) == (0, [])
    every = {each["rule"] for each in done.document["checks"]}
    tried = {each[0] for each in (*CHANGES, *VALUES, *TEXTS, *OTHERS, *METADATA, *ROLES)}
    # What IAM holds can't be seen from here, but for our own accounts: tests of our own responses.
    # Of encrypted assertions others than ours can't be read: tests of the sandbox.
    unseen = {"encryption-form", "encryption-algorithm", "decryption", "encryption-endpoint"}
    assert every - tried == {"provider"} | unseen
