"""XML from outside meets one strict parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from idp.saml.xml import BadXml, parse_untrusted

LIMIT = 10_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no xml",
        b"<a>",
        b"<a/><b/>",
        b"<a>\x00</a>",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
        "<a>ä</a>".encode("latin-1"),
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>&x;</a>",
        b"<a><?php x?></a>",
        b"<a b='1' b='2'/>",
        b"<a>" * 300 + b"</a>" * 300,
        b"<a>" + b"x" * LIMIT + b"</a>",
    ],
)
def test_refuses_what_it_should_not_read(data: bytes) -> None:
    with pytest.raises(BadXml):
        parse_untrusted(data, max_bytes=LIMIT)


def test_a_comment_can_not_cut_a_name_in_two() -> None:
    root = parse_untrusted(b"<a>admin@example.com<!-- -->.evil.example</a>", max_bytes=LIMIT)
    assert root.text == "admin@example.com.evil.example"


def test_a_declared_encoding_does_not_change_how_it_is_read() -> None:
    data = '<?xml version="1.0" encoding="latin-1"?><a>ä</a>'.encode()
    assert parse_untrusted(data, max_bytes=LIMIT).text == "ä"


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert parse_untrusted("\ufeff<a/>".encode(), max_bytes=LIMIT).tag == "a"


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: f"<a>{text}</a>".encode("utf-8", "surrogatepass"))
)
def test_any_bytes_are_parsed_or_refused_in_words(data: bytes) -> None:
    try:
        root = parse_untrusted(data, max_bytes=LIMIT)
    except BadXml as refusal:
        assert refusal.message  # noqa: PT017
    else:
        assert isinstance(root, etree._Element)
