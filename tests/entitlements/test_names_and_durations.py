"""Comparing names, and reading durations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.entitlements.duration import BadDuration, format_duration, parse_duration
from idp.entitlements.names import name_key


@pytest.mark.parametrize(
    ("one", "other"),
    [("Admins", "ADMINS"), ("Straße", "STRAßE"), ("José", "Jose\u0301"), ("Ärzte", "ärzte")],
)
def test_spellings_of_one_name_are_the_same(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("real", "false"),
    [
        ("kubernetes", "\u212aubernetes"),
        ("admins", "admin\u017f"),
        ("admins", "\u0430dmins"),
        ("strasse", "straße"),
        ("office", "o\ufb03ce"),
        ("a;b", "a\u037eb"),
        ("admins", "admins "),
    ],
)
def test_a_name_that_only_looks_the_same_is_another(real: str, false: str) -> None:
    assert name_key(real) != name_key(false)


@settings(deadline=None)
@given(st.text(max_size=20))
def test_only_a_name_in_ascii_can_be_the_same_as_one_in_ascii(name: str) -> None:
    if name_key(name).isascii():
        assert name.isascii()
    assert name_key(name_key(name)) == name_key(name)


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900), ("900s", 900), ("1h", 3600), ("90m", 5400), ("12h", 43200)]
)
def test_reads_a_duration(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "4", "4 h", "899s", "13h", "-1h", "1.5h", "1H", "٤h", "1h\n"])
def test_refuses_what_sts_would_refuse_or_nobody_can_read(text: str) -> None:
    with pytest.raises(BadDuration):
        parse_duration(text)


@settings(deadline=None)
@given(st.integers(900, 43200))
def test_a_written_duration_reads_back(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds
