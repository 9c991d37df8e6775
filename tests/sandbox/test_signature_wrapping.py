"""Signatures that are bent: wrapped, moved, weakened, borrowed. None may be believed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
from lxml import etree

from idp.sandbox.judge import Judgement, Provider, judge_response
from tests.sandbox import maker
from tests.sandbox.maker import DS, ENDPOINT, ISSUER, NOW, A, P, Recipe, add

TRUSTED = Provider(ISSUER, (maker.keys().public_pem,))


def judge(root: etree._Element) -> Judgement:
    return judge_response(maker.encode(root), provider=TRUSTED, endpoints=(ENDPOINT,), now=NOW)


def parts(root: etree._Element) -> tuple[etree._Element, etree._Element]:
    """The assertion and its signature."""
    assertion = root.find(f"{A}Assertion")
    assert assertion is not None
    signature = assertion.find(f"{DS}Signature")
    assert signature is not None
    return assertion, signature


def forged(assertion: etree._Element, identifier: str = "_evil") -> etree._Element:
    """A copy of the assertion in which somebody else signs in; without its signature."""
    evil = deepcopy(assertion)
    evil.tail = None
    for signature in evil.findall(f"{DS}Signature"):
        evil.remove(signature)
    evil.set("ID", identifier)
    name = evil.find(f".//{A}NameID")
    assert name is not None
    name.text = "admin"
    return evil


def evil_response_holds_the_original_in_its_signature(root: etree._Element) -> etree._Element:
    """XSW1: the Response is signed; a changed one carries the original inside the signature."""
    signed = Recipe(sign_response=True).signed()
    signature = signed.find(f"{DS}Signature")
    assert signature is not None
    evil = deepcopy(signed)
    inner = deepcopy(signed)
    own = inner.find(f"{DS}Signature")
    assert own is not None
    inner.remove(own)
    evil.set("ID", "_evil")
    name = evil.find(f".//{A}NameID")
    assert name is not None
    name.text = "admin"
    outer = evil.find(f"{DS}Signature")
    assert outer is not None
    outer.append(inner)
    return evil


def evil_response_beside_a_detached_original(root: etree._Element) -> etree._Element:
    """XSW2: as before, the original standing beside the signature."""
    evil = evil_response_holds_the_original_in_its_signature(root)
    signature = evil.find(f"{DS}Signature")
    assert signature is not None
    signature.addprevious(signature[-1])
    return evil


def evil_assertion_before_the_original(root: etree._Element) -> etree._Element:
    """XSW3."""
    assertion, _ = parts(root)
    assertion.addprevious(forged(assertion))
    return root


def evil_assertion_around_the_original(root: etree._Element) -> etree._Element:
    """XSW4."""
    assertion, _ = parts(root)
    evil = forged(assertion)
    root.replace(assertion, evil)
    evil.append(assertion)
    return root


def evil_assertion_takes_the_signature(root: etree._Element) -> etree._Element:
    """XSW5: the changed assertion carries the signature, the original is appended without it."""
    assertion, signature = parts(root)
    evil = forged(assertion)
    assertion.remove(signature)
    evil.insert(1, signature)
    root.replace(assertion, evil)
    root.append(assertion)
    return root


def evil_assertion_takes_the_signature_with_the_original_inside(
    root: etree._Element,
) -> etree._Element:
    """XSW6."""
    root = evil_assertion_takes_the_signature(root)
    evil, original = root.findall(f"{A}Assertion")
    signature = evil.find(f"{DS}Signature")
    assert signature is not None
    signature.append(original)
    return root


def evil_assertion_in_extensions(root: etree._Element) -> etree._Element:
    """XSW7."""
    assertion, _ = parts(root)
    extensions = etree.Element(f"{P}Extensions")
    extensions.append(forged(assertion, "_assertion"))
    root.insert(1, extensions)
    return root


def original_in_an_object_of_the_signature(root: etree._Element) -> etree._Element:
    """XSW8."""
    root = evil_assertion_takes_the_signature(root)
    evil, original = root.findall(f"{A}Assertion")
    signature = evil.find(f"{DS}Signature")
    assert signature is not None
    add(signature, f"{DS}Object").append(original)
    return root


ATTACKS: list[Callable[[etree._Element], etree._Element]] = [
    evil_response_holds_the_original_in_its_signature,
    evil_response_beside_a_detached_original,
    evil_assertion_before_the_original,
    evil_assertion_around_the_original,
    evil_assertion_takes_the_signature,
    evil_assertion_takes_the_signature_with_the_original_inside,
    evil_assertion_in_extensions,
    original_in_an_object_of_the_signature,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_signature_wrapping_is_refused(
    attack: Callable[[etree._Element], etree._Element],
) -> None:
    judgement = judge(attack(Recipe().signed()))
    assert judgement.verdict is None
    assert judgement.refusals


def test_a_comment_cannot_cut_a_name_short() -> None:
    root = Recipe(name_id="admin@example.com.evil.example").signed()
    text = etree.tostring(root).replace(b"admin@example.com.evil", b"admin@example.com<!---->.evil")
    judgement = judge(etree.fromstring(text))
    assert judgement.verdict is not None
    assert judgement.verdict.name_id == "admin@example.com.evil.example"


def broken(judgement: Judgement) -> list[str]:
    assert judgement.verdict is None
    return [check.name for check in judgement.refusals]


def test_an_unsigned_assertion_is_refused_even_in_a_signed_response() -> None:
    root = Recipe().build()
    maker.sign(root)
    assert broken(judge(root)) == ["signature-place"]
    assert broken(judge(Recipe().build())) == ["signature-place"]


def test_a_value_changed_after_signing_is_refused() -> None:
    root = Recipe().signed()
    name = root.find(f".//{A}NameID")
    assert name is not None
    name.text = "admin"
    assert broken(judge(root)) == ["signature"]


def test_a_stranger_s_key_is_refused() -> None:
    assert broken(judge(Recipe(signing="stranger").signed())) == ["signature"]


def test_sha1_is_refused() -> None:
    assert broken(judge(Recipe(digest="sha1").signed())) == ["signature-algorithm"]


def test_a_broken_response_signature_is_refused() -> None:
    root = Recipe(sign_response=True).signed()
    root.set("Consent", "changed")
    assert broken(judge(root)) == ["response-signature"]


def test_an_object_in_the_signature_is_refused() -> None:
    root = Recipe().signed()
    add(parts(root)[1], f"{DS}Object", "anything")
    assert broken(judge(root)) == ["signature-objects"]


def test_a_reference_to_something_else_is_refused() -> None:
    root = Recipe().signed()
    reference = root.find(f".//{DS}Reference")
    assert reference is not None
    for uri in ("", "#_response", "http://127.0.0.1/x", "#xpointer(/)"):
        reference.set("URI", uri)
        assert broken(judge(root)) == ["signature-reference"]


def test_other_transforms_are_refused() -> None:
    for algorithm in (
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    ):
        root = etree.fromstring(etree.tostring(Recipe().signed()))
        transforms = root.find(f".//{DS}Transforms")
        assert transforms is not None
        add(transforms, f"{DS}Transform", Algorithm=algorithm)
        assert broken(judge(root)) == ["signature-transforms"]


def test_an_id_that_comes_twice_is_refused() -> None:
    root = Recipe().signed()
    root.set("ID", "_assertion")
    assert broken(judge(root)) == ["unique-ids"]
