"""Which user names are allowed, and which are the same."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.directory.usernames import BadUsername, prepared_username, username_key


@pytest.mark.parametrize(
    "name", ["a", "Ann Lee", "ann@example.com", "عين", "𝒜nn", "x" * 128, "Ångström"]
)
def test_takes_names_of_people(name: str) -> None:
    assert prepared_username(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ann",
        "ann ",
        "x" * 129,
        "a\0b",
        "a\nb",
        "a\u202eb",
        "a\u2066b",
        "a\u200bb",
        "a\u00a0b",
        "a\ud800b",
        "\ufeffann",
        "a\u115fb",
        "a\ufe0fb",
        "a\ue000b",
        "a\U0001fffeb",
        "\ufdfa" * 128,
    ],
)
def test_refuses_names_that_deceive_or_break(name: str) -> None:
    with pytest.raises(BadUsername):
        prepared_username(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ANN", "ann"),
        ("Straße", "STRASSE"),
        ("é", "e\u0301"),
        ("ａｎｎ", "ann"),
        ("ﬁn", "FIN"),
        ("ann  lee", "Ann Lee"),
        ("ΣΑΣ", "σας"),
    ],
)
def test_takes_spellings_of_one_name_as_the_same(one: str, other: str) -> None:
    assert username_key(one) == username_key(other)


def test_keeps_different_names_apart() -> None:
    assert len({username_key(name) for name in ("ann", "anne", "änn", "an n")}) == 4


@given(st.text(st.characters(), max_size=140))
def test_any_text_is_taken_whole_or_refused(text: str) -> None:
    try:
        name = prepared_username(text)
    except BadUsername:
        return
    assert prepared_username(name) == name
    assert username_key(username_key(name)) == username_key(name) == username_key(text)
    assert len(username_key(name)) <= 256
    name.encode()
