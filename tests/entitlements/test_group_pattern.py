"""Group patterns: what is allowed, and that what is allowed is fast and exact."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.entitlements.pattern import GroupPattern
from idp.entitlements.pattern_reader import BadPattern

USUAL = r"^AWS-(?P<account>\d{12})-(?P<role>[\w+=,.@-]{1,64})$"


@pytest.mark.parametrize(
    ("pattern", "name", "parts"),
    [
        (USUAL, "AWS-111122223333-Admin", ("111122223333", "Admin")),
        (USUAL, "aws-111122223333-Admin", None),
        (USUAL, "XAWS-111122223333-Admin", None),
        (USUAL, "AWS-111122223333-Admin\n", None),
        (USUAL, "AWS-111122223333-Admin Extra", None),
        (USUAL, "AWS-١١١١٢٢٢٢٣٣٣٣-Admin", None),
        (USUAL, "AWS-111122223333-Ädmin", None),
        (USUAL, "AWS-11112222333-Admin", None),
        (
            r"^aws#[^#]+#(?P<role>[^#]+)#(?P<account>\d{12})$",
            "aws#payments#Admin#111122223333",
            ("111122223333", "Admin"),
        ),
        (
            r"^(?P<account>[a-z0-9-]+)-(?P<role>(?:Admin|ReadOnly))$",
            "prod-eu-ReadOnly",
            ("prod-eu", "ReadOnly"),
        ),
    ],
)
def test_takes_account_and_role_from_a_whole_name(
    pattern: str, name: str, parts: tuple[str, str] | None
) -> None:
    assert GroupPattern.parse(pattern).match(name) == parts


def test_a_name_longer_than_any_directory_has_never_matches() -> None:
    pattern = GroupPattern.parse(r"^(?P<account>\d{12})-(?P<role>.+)$")
    assert pattern.match("111122223333-" + "a" * 243)
    assert not pattern.match("111122223333-" + "a" * 244)


A = r"(?P<account>\d{12})"
R = r"(?P<role>\w+)"


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (f"{A}-{R}", "anchored"),
        (f"^{A}-{R}", "anchored"),
        (f"{A}-{R}$", "anchored"),
        ("^$", "anchored"),
        ("^AWS-Admins$", "account"),
        (f"^{A}-{R}-{R}$", "role"),
        (f"^{A}-(?P<role>(?:a+)+)$", "quantifier after a parenthesis"),
        (f"^{A}-(?P<role>a)+$", "quantifier after a parenthesis"),
        (f"^{A}-(?P<role>a)" + "{2}$", "quantifier after a parenthesis"),
        (f"^{A}-{R}" + r"\1$", "back-reference"),
        (f"^{A}-{R}(?P=role)$", "parenthesis that is not allowed"),
        (f"^(?=x){A}-{R}$", "parenthesis that is not allowed"),
        (f"^(?!x){A}-{R}$", "parenthesis that is not allowed"),
        (f"^(?i){A}-{R}$", "parenthesis that is not allowed"),
        (f"^(x){A}-{R}$", "parenthesis that is not allowed"),
        (f"^(?P<alias>x){A}-{R}$", "'alias'"),
        (f"^{A}-{R}|x$", "alternative outside"),
        (f"^{A}-{R})$", "closing parenthesis"),
        (f"^{A}-(?P<role>x$", "not closed"),
        (f"^{A}-{R}x++$", "quantifier after a quantifier"),
        (f"^{A}-{R}x+?$", "quantifier after a quantifier"),
        (f"^{A}-{R}" + "x{3}{3}$", "quantifier after a quantifier"),
        (f"^{A}-{R}" + "x{3,2}$", "quantifier"),
        (f"^{A}-{R}" + "x{,2}$", "of its own"),
        (f"^+{A}-{R}$", "of its own"),
        (f"^{A}^{R}$", "anchor inside"),
        (f"^{A}$\n{R}$", "anchor inside"),
        (f"^{A}-{R}[z-a]$", "bad character range"),
        (f"^{A}-{R}[[a]$", "class"),
        (f"^{A}-{R}[a&&b]$", "doubled"),
        (f"^{A}-{R}[a$", "class"),
        (f"^{A}-{R}\\$", "anchored|escape"),
        (f"^{A}-{R}" + r"\bx$", "escape"),
        (f"^{A}-{R}" + r"\x41$", "escape"),
        (f"^{A}-{R}" + r"[\x41]$", "class"),
        (f"^{A}-{R}" + r"\Z$", "escape"),
        ("^" + "(?:" * 9 + "x" + ")" * 9 + f"{A}-{R}$", "nested too deep"),
        (f"^{A}-{R}" + "x" * 200 + "$", "200"),
        (f"^{A}-(?P<role>\\w*\\w*\\w*\\w*)x$", "too many ways"),
        (f"^{A}-(?P<role>" + "(?:a|a)" * 20 + ")x$", "too many ways"),
        (f"^{A}-(?P<role>" + "a?" * 20 + "a" * 20 + ")$", "too many ways"),
    ],
)
def test_refuses_a_pattern_outside_the_safe_part(pattern: str, reason: str) -> None:
    with pytest.raises(BadPattern, match=reason) as refusal:
        GroupPattern.parse(pattern)
    assert refusal.value.advice


def test_separated_parts_are_not_taken_for_slow_ones() -> None:
    GroupPattern.parse(r"^[^#]+#[^#]+#[^#]+#(?P<role>[^#]+)#(?P<account>\d{12})$")


def test_takes_the_pattern_that_okta_proposes() -> None:
    pattern = GroupPattern.parse(r"^aws\#\S+\#(?P<role>[\w\-]+)\#(?P<account>\d+)$")
    assert pattern.match("aws#dev#Read-Only#111122223333") == ("111122223333", "Read-Only")
    assert pattern.prefix == "aws#"
    begun = time.perf_counter()
    assert pattern.match("aws#" + "a#" * 126) is None
    assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        (USUAL, "AWS-"),
        (r"^aws\.x\#(?P<role>a)$", "aws.x#"),
        (r"^ab?(?P<role>a)$", "a"),
        (r"^ab{2}(?P<role>a)$", "a"),
        (r"^(?:aws|azure)-(?P<role>a)$", ""),
        (r"^\d-(?P<role>a)$", ""),
        (r"^[A]WS(?P<role>a)$", ""),
    ],
)
def test_knows_with_which_text_every_match_begins(pattern: str, prefix: str) -> None:
    assert GroupPattern.parse(pattern).prefix == prefix


@given(st.from_regex(re.compile(USUAL, re.ASCII), fullmatch=True))
def test_what_matches_begins_with_the_prefix_and_has_parts_that_could_be_named(name: str) -> None:
    pattern = GroupPattern.parse(USUAL)
    parts = pattern.match(name.removesuffix("\n"))
    if parts:
        assert name.startswith(pattern.prefix)
        assert pattern.could_name("account", parts[0])
        assert pattern.could_name("role", parts[1])


def test_tells_what_a_part_could_never_be() -> None:
    pattern = GroupPattern.parse(r"^(?P<role>(?:Admin|ReadOnly))$")
    assert pattern.could_name("role", "Admin")
    assert not pattern.could_name("role", "Adm")
    assert not pattern.could_name("account", "111122223333")
