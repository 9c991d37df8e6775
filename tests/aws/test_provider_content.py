"""When two metadata documents say the same to IAM, and how they differ when not."""

from __future__ import annotations

import pytest

from idp.aws.provider_content import Difference, UnfitMetadata, compare, publishable, read_content
from idp.keys.certificate import fingerprint
from idp.saml.xml import METADATA, XMLDSIG
from tests.aws.documents import OTHERS, OURS, metadata, metadata_of
from tests.making import memory_key


def print_of(number: int) -> str:
    return fingerprint(memory_key(number=number).x509)


def difference(held: bytes | None, published: bytes) -> Difference:
    return compare(held, read_content(published))


def test_the_same_document_does_not_differ() -> None:
    assert difference(metadata(1, 2), metadata(1, 2)).nothing


def test_the_order_of_certificates_does_not_count() -> None:
    assert difference(metadata(2, 1), metadata(1, 2)).nothing


def test_line_breaks_comments_and_a_certificate_twice_do_not_count() -> None:
    text = memory_key(number=1).certificate
    wrapped = "\n  ".join(text[at : at + 64] for at in range(0, len(text), 64))
    held = metadata_of([text]).replace(text.encode(), f"\n{wrapped}\n<!-- ours -->".encode())
    assert difference(held, metadata(1)).nothing
    assert difference(metadata_of([text, text]), metadata(1)).nothing


def test_dates_other_bindings_and_a_certificate_for_encryption_do_not_count() -> None:
    other = f'<md:KeyDescriptor use="encryption">{key_info(2)}</md:KeyDescriptor>'
    held = metadata(1).replace(b"</md:KeyDescriptor>", f"</md:KeyDescriptor>{other}".encode(), 1)
    held = held.replace(b" entityID=", b' validUntil="2020-01-01T00:00:00Z" entityID=', 1)
    assert difference(held, metadata(1)).nothing


def key_info(number: int) -> str:
    text = memory_key(number=number).certificate
    return (
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{text}"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    )


def test_a_key_without_a_use_is_for_signing_too() -> None:
    held = metadata(1).replace(b' use="signing"', b"")
    assert difference(held, metadata(1)).nothing


def test_missing_and_extra_certificates_are_named() -> None:
    found = difference(metadata(1, 3), metadata(1, 2))
    assert (found.held, found.missing, found.extra) == (
        (print_of(1),),
        (print_of(2),),
        (print_of(3),),
    )
    assert not found.nothing
    assert not found.foreign
    assert found.words() == (
        f"missing certificate {print_of(2)[:16]}; extra certificate {print_of(3)[:16]}"
    )


def test_another_issuer_with_our_certificate_is_a_difference_and_still_ours() -> None:
    found = difference(metadata(1, issuer="https://old.example.com/metadata"), metadata(1))
    assert found.other_issuers == ("https://old.example.com/metadata",)
    assert not found.nothing
    assert not found.foreign


def test_our_issuer_with_none_of_our_certificates_is_still_ours() -> None:
    assert not difference(metadata(2), metadata(1)).foreign


def test_another_issuer_with_other_certificates_is_foreign() -> None:
    assert difference(metadata(2, issuer=OTHERS), metadata(1)).foreign


def test_two_issuers_of_which_one_is_ours_are_a_difference() -> None:
    ours = metadata(1).split(b"\n", 1)[1]
    other = metadata(2, issuer=OTHERS).split(b"\n", 1)[1]
    both = (
        b'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">'
        + ours
        + other
        + b"</md:EntitiesDescriptor>"
    )
    found = difference(both, metadata(1))
    assert (found.issuer_held, found.other_issuers) == (True, (OTHERS,))
    assert not found.nothing


@pytest.mark.parametrize("held", [b"", b"not xml", b"<!DOCTYPE x><x/>", b"\xff\xfe", b"<a/>"])
def test_what_is_no_metadata_differs_and_is_not_taken_for_ours(held: bytes) -> None:
    found = difference(held, metadata(1))
    assert found.unreadable
    assert found.foreign
    assert not found.nothing


def test_a_certificate_that_is_no_base64_shows_as_an_extra_one() -> None:
    found = difference(metadata_of([memory_key(number=1).certificate, "***"]), metadata(1))
    assert len(found.extra) == 1


def test_no_provider_differs_and_is_not_foreign() -> None:
    found = difference(None, metadata(1))
    assert found.absent
    assert not found.nothing
    assert not found.foreign


def test_metadata_that_iam_would_not_take_is_refused_before_any_call() -> None:
    assert publishable(metadata(1)).issuers == {OURS}
    with pytest.raises(UnfitMetadata, match="11 certificates"):
        publishable(metadata(*range(1, 12)))
    with pytest.raises(UnfitMetadata, match="0 certificates"):
        publishable(metadata_of([]).ljust(1200))
    tiny = (
        f'<md:EntityDescriptor xmlns:md="{METADATA}" xmlns:ds="{XMLDSIG}" entityID="https://i">'
        "<md:IDPSSODescriptor><md:KeyDescriptor><ds:X509Certificate>AAAA</ds:X509Certificate>"
        "</md:KeyDescriptor></md:IDPSSODescriptor></md:EntityDescriptor>"
    )
    with pytest.raises(UnfitMetadata, match="characters"):
        publishable(tiny.encode())
