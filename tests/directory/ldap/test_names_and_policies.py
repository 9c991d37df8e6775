"""Comparing DNs, and reading what a password policy says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.directory.ldap.connection import Answer
from idp.directory.ldap.failure import Refused
from idp.directory.ldap.names import dn_key, is_below
from idp.directory.ldap.password_policy import CONTROL, policy_error, refusal_reason

SAME = [
    ("cn=Ann, OU=People,dc=x", "CN=ann,ou=people,DC=X"),
    ("cn=a\\2cb,dc=x", "cn=a\\,b,dc=x"),
    ("cn=\\C3\\A9,dc=x", "cn=é,dc=x"),
    ("cn=a+uid=b,dc=x", "uid=b + cn=a,dc=x"),
    ("cn=a  b,dc=x", "cn=a b,dc=x"),
]
DIFFERENT = [
    ("cn=a\\,dc=x,dc=y", "cn=a,dc=x,dc=y"),
    ("cn=a\\+uid=b,dc=x", "cn=a+uid=b,dc=x"),
    ("cn=a,dc=x", "cn=a,dc=xy"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_name_are_the_same(one: str, other: str) -> None:
    assert dn_key(one) == dn_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_names_that_look_alike_are_not_the_same(one: str, other: str) -> None:
    assert dn_key(one) != dn_key(other)


def test_below_is_told_by_whole_parts_and_not_by_text() -> None:
    assert is_below("cn=a,ou=groups,dc=x", "OU=Groups, DC=x")
    assert is_below("ou=groups,dc=x", "ou=groups,dc=x")
    assert not is_below("cn=a,ou=notgroups,dc=x", "groups,dc=x")
    assert not is_below("cn=a\\,ou=groups\\,dc=x,ou=people,dc=x", "ou=groups,dc=x")
    assert not is_below("dc=x", "ou=groups,dc=x")


@given(st.text(max_size=30))
def test_any_text_has_a_key(text: str) -> None:
    assert isinstance(dn_key(text), str)


def _answer(code: int, value: bytes = b"") -> Answer:
    return Answer(code, "", "", {CONTROL: value} if value else {})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_answer(0), ""),
        (_answer(49), "wrong_password"),
        (_answer(49, b"\x30\x03\x81\x01\x00"), "expired"),
        (_answer(49, b"\x30\x03\x81\x01\x01"), "locked"),
        (_answer(0, b"\x30\x03\x81\x01\x02"), "must_change"),
        (_answer(0, b"\x30\x08\xa0\x06\x80\x04\x00\x01\x51\x7f"), ""),  # a warning lets in
        (_answer(0, b"\x30\x0b\xa0\x06\x80\x04\x00\x01\x51\x7f\x81\x01\x02"), "must_change"),
        (_answer(53), "disabled"),
        (_answer(19), "locked"),
        (_answer(32), "unknown_user"),
    ],
)
def test_each_answer_to_a_bind_has_its_word(answer: Answer, reason: str) -> None:
    assert refusal_reason(answer) == reason


@pytest.mark.parametrize("code", [2, 3, 8, 10, 13, 14, 50, 80, 4096])
def test_an_answer_that_is_neither_yes_nor_no_is_not_taken_for_one(code: int) -> None:
    with pytest.raises(Refused):
        refusal_reason(_answer(code))


@given(st.binary(max_size=20))
def test_any_bytes_of_a_control_are_read_without_harm(value: bytes) -> None:
    assert policy_error(value) in ("", "expired", "locked", "must_change")
