"""Passwords: what may be one, and what checking one costs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.directory.passwords import (
    BadPassword,
    BadPasswordHash,
    Passwords,
    check_new_password,
    check_password_hash,
    prepared_password,
)
from idp.settings import SignInSettings

GOOD = "correct horse battery"
SALT_AND_HASH = "c2FsdHNhbHRzYWx0$" + "a" * 43


def test_is_an_argon2id_hash_with_the_parameters_of_the_settings(passwords: Passwords) -> None:
    stored = passwords.hash(GOOD)
    assert stored.startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert passwords.verify(stored, GOOD)
    assert not passwords.verify(stored, GOOD + "x")
    assert passwords.hash(GOOD) != stored


def test_asks_for_a_new_hash_when_the_parameters_changed(passwords: Passwords) -> None:
    stored = passwords.hash(GOOD)
    assert not passwords.needs_rehash(stored)
    assert Passwords(SignInSettings(argon2_memory_kib=9216)).needs_rehash(stored)


def test_nobody_has_no_password_that_is_right(passwords: Passwords) -> None:
    assert not passwords.verify(None, GOOD)
    assert not passwords.verify(None, "")
    assert not passwords.verify("not a hash", GOOD)


def test_composed_and_decomposed_accents_are_one_password(passwords: Passwords) -> None:
    assert passwords.verify(
        passwords.hash("caf\u00e9 caf\u00e9 caf\u00e9"), "cafe\u0301 " * 2 + "café"
    )
    assert passwords.verify(passwords.hash("two\u00a0words here"), "two words here")
    assert not passwords.verify(passwords.hash("Two words here"), "two words here")


@pytest.mark.parametrize("text", ["", "a\0b", "x" * 1025, "é" * 513, "\ud800", "x" * 10_000_000])
def test_refuses_what_can_not_be_a_password(passwords: Passwords, text: str) -> None:
    with pytest.raises(BadPassword):
        prepared_password(text)
    assert not passwords.verify(passwords.hash(GOOD), text)


def test_takes_a_password_of_1024_bytes(passwords: Passwords) -> None:
    assert passwords.verify(passwords.hash("é" * 512), "é" * 512)


@pytest.mark.parametrize("text", ["short", "x" * 11, "ann.longname@x", "ANN.Longname@X"])
def test_refuses_new_passwords_that_are_short_or_the_user_name(text: str) -> None:
    with pytest.raises(BadPassword):
        check_new_password(text, "ann.longname@x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$2b$12$abcdefghijklmnopqrstuu",
        f"$argon2i$v=19$m=8192,t=1,p=1${SALT_AND_HASH}",
        f"$argon2id$v=19$m=8192,t=1,p=1${SALT_AND_HASH}\n",
        f"$argon2id$v=19$m=9999999,t=1,p=1${SALT_AND_HASH}",
        f"$argon2id$v=19$m=8192,t=99,p=1${SALT_AND_HASH}",
        f"$argon2id$v=19$m=8192,t=1,p=99${SALT_AND_HASH}",
        f"$argon2id$v=19$m=8192,t=0,p=1${SALT_AND_HASH}",
        f"$argon2id$v=19$m=1,t=1,p=1${SALT_AND_HASH}",
    ],
)
def test_refuses_hashes_that_are_foreign_or_too_dear(text: str) -> None:
    with pytest.raises(BadPasswordHash):
        check_password_hash(text)


def test_takes_its_own_hashes(passwords: Passwords) -> None:
    check_password_hash(passwords.hash(GOOD))


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(), max_size=1100))
def test_any_text_is_hashed_or_refused(text: str) -> None:
    try:
        prepared = prepared_password(text)
    except BadPassword:
        return
    assert 1 <= len(prepared) <= 1024
    assert b"\0" not in prepared
