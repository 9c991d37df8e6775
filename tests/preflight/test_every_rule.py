"""For each rule one response that breaks just it, and exactly that rule is named."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree

from tests.preflight.command import Command, Done
from tests.sandbox import maker
from tests.sandbox.maker import DS, PROVIDER, ROLE, A, Change, P, Recipe, keys, metadata
from tests.sandbox.test_judge import CHANGES, TEXTS, Break, find, within
from tests.sandbox.test_judge_attributes import VALUES

NEEDS_METADATA = {
    *("provider", "issuer", "response-issuer", "signature", "response-signature"),
    *(f"signature-{part}" for part in ("place", "reference", "transforms", "algorithm", "objects")),
}


def change(edit: Break) -> str:
    def quietly(root: etree._Element) -> None:
        edit(root)

    return Recipe(change=quietly).text()


def after(edit: Change, **recipe: object) -> str:
    """A response that is changed after it was signed."""
    root = Recipe(**recipe).signed()  # type: ignore[arg-type]
    edit(root)
    return maker.encode(root)


def encrypt(root: etree._Element) -> None:
    root.replace(find(root, f"{A}Assertion"), etree.Element(f"{A}EncryptedAssertion"))


def unsign(root: etree._Element) -> None:
    assertion = find(root, f"{A}Assertion")
    assertion.remove(find(assertion, f"{DS}Signature"))


def drop_first_transform(root: etree._Element) -> None:
    transforms = find(root, f".//{DS}Transforms")
    transforms.remove(transforms[0])


OTHERS: list[tuple[str, str]] = [
    ("unique-ids", change(lambda root: find(root, within("AuthnStatement")).set("Id", "_response"))),
    ("encryption", change(encrypt)),
    (
        "attribute-statement",
        change(lambda root: maker.add(find(root, f"{A}Assertion"), f"{A}AttributeStatement")),
    ),
    ("signature-place", after(unsign)),
    (
        "signature-reference",
        after(lambda root: find(root, f".//{DS}Reference").set("URI", "#_other")),
    ),
    ("signature-transforms", after(drop_first_transform)),
    ("signature-algorithm", Recipe(digest="sha1").text()),
    (
        "signature-objects",
        after(lambda root: maker.add(find(root, f".//{DS}Signature"), f"{DS}Object") and None),
    ),
    ("signature", Recipe(signing="stranger").text()),
    (
        "response-signature",
        after(lambda root: root.set("Version", "2.0 ".strip()) or maker.sign(root, "stranger") and None),
    ),
    ("base64", "SAMLResponse=" + Recipe().text()[:400] + "%0D%0A" + Recipe().text()[400:]),
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
    assert (done.code, done.broken) == (1, [rule])


def elliptic() -> str:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ec")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, day, day)
    return base64.b64encode(builder.sign(private, SHA256()).public_bytes(Encoding.DER)).decode()


def doubled_extension() -> str:
    """A certificate whose only extension stands in it twice, spliced together in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _doubled(key)


def _doubled(_key: ec.EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private = load_pem_private_key(keys().private_pem, None)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "twice")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, day, day)  # type: ignore[arg-type]
    one = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
    two = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.6"), b"\x05\x00")
    der = (
        builder.add_extension(one, False)
        .add_extension(two, False)
        .sign(private, SHA256())  # type: ignore[arg-type]
        .public_bytes(Encoding.DER)
    )
    # Same length: the second extension takes the first one's name. IAM looks at no signature.
    return base64.b64encode(
        der.replace(b"\x06\x04\x2a\x03\x04\x06", b"\x06\x04\x2a\x03\x04\x05")
    ).decode()


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


FULL = Recipe().adding(
    PrincipalTag__Team=("blue",), SourceIdentity=("ann",), SessionDuration=("7200",)
)
ONLY_ASSUME = "sts:AssumeRoleWithSAML"
RESERVED = ROLE.replace("Developer", "AWSReservedSSO_Admin_1")
ROLES: list[tuple[str, str, list[str], str]] = [
    ("requested-role", FULL.text(), ["--role", ROLE + "2"], policy()),
    ("role-reserved", Recipe().adding(Role=(f"{RESERVED},{PROVIDER}",)).text(), [], policy()),
    ("session-length", FULL.text(), ["--max-session-duration", "3600"], policy()),
    ("trust-policy", FULL.text(), [], policy(Condition={"StringEquals": {"SAML:aud": "x"}})),
    ("trust-policy", Recipe().text(), [], policy(Principal={"Federated": PROVIDER + "2"})),
    ("trust-policy", Recipe().text(), [], policy(Action="sts:AssumeRole")),
    (
        "trust-policy-tags",
        Recipe().adding(PrincipalTag__Team=("blue",)).text(),
        [],
        policy(Action=ONLY_ASSUME),
    ),
    (
        "trust-policy-source-identity",
        Recipe().adding(SourceIdentity=("ann",)).text(),
        [],
        policy(Action=ONLY_ASSUME),
    ),
    (
        "packed-size",
        # Text that doesn't shrink: no two of these characters in a row are alike.
        Recipe()
        .adding(**{f"PrincipalTag__k{n}": (base64.b85encode(bytes(range(n, n + 1))).hex(),) for n in range(1)})
        .text(),
        [],
        policy(),
    ),
]


@pytest.mark.parametrize(
    ("rule", "text", "options", "trust"), ROLES[:-1], ids=[each[0] for each in ROLES[:-1]]
)
def test_names_the_rule_of_the_role(
    preflight: Command, rule: str, text: str, options: list[str], trust: str
) -> None:
    done = preflight.judge(text, *options, "--trust-policy", preflight.file("trust.json", trust))
    broken = [name for name in done.broken if name != "trust-policy-tags" or rule == name]
    if rule == "trust-policy":  # what the policy denies, it denies for tags and identity too
        broken = broken[:1]
    assert (done.code, broken) == (1, [rule])
