"""The rules file: what it may say, and that every mistake is told with its rule, key and line."""

from __future__ import annotations

import time
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.entitlements.account import Account, Accounts
from idp.entitlements.rule import DOCUMENT_KEYS, RoleRule
from idp.entitlements.rules_file import LARGEST_FILE, RulesFileRefused, format_rules, parse_rules
from idp.entitlements.ruleset import RuleSet

ACCOUNTS = Accounts(
    [
        Account("111122223333", "dev", "aws", "ExampleIdP"),
        Account("222233334444", "prod", "aws", "ExampleIdP"),
        Account("333344445555", "gov", "aws-us-gov", "ExampleIdP"),
    ]
)
WHOLE = r"""
[[rule]]
name = "developers-dev"
description = "Developers work in dev"
directory = "local"
users = ["ann"]
groups = ["developers"]
attributes = { Department = ["Engineering", "Research"], site = "Berlin" }
role = "team/Developer"
accounts = ["dev", "222233334444"]
duration = "240m"
tags = { Department = "{department}", CostCenter = "{cost_center|default:none}", Team = "" }
transitive = ["Department"]

[[rule]]
name = "by-name"
directory = "local"
group_pattern = '^AWS-(?P<account>\d{12})-(?P<role>[\w+=,.@-]{1,64})$'

[[rule]]
name = "no-admin"
effect = "deny"
everyone = true
role = ["arn:aws-us-gov:iam::333344445555:role/Admin", "arn:aws:iam::111122223333:role/x/Admin"]
"""


def problems_of(text: str | bytes) -> tuple[str, ...]:
    with pytest.raises(RulesFileRefused) as refusal:
        parse_rules(text if isinstance(text, bytes) else text.encode(), ACCOUNTS)
    assert refusal.value.message
    return refusal.value.problems


def one_rule(**keys: str) -> str:
    usual = {"name": '"r"', "users": '["ann"]', "role": '"A"', "accounts": '["dev"]'}
    written = {key: value for key, value in {**usual, **keys}.items() if value}
    return "[[rule]]\n" + "".join(f"{key} = {value}\n" for key, value in written.items())


def test_reads_every_key() -> None:
    developers, by_name, no_admin = parse_rules(WHOLE.encode(), ACCOUNTS)
    assert developers == RoleRule(
        name="developers-dev",
        description="Developers work in dev",
        directory="local",
        users=("ann",),
        groups=("developers",),
        attributes={"department": ("Engineering", "Research"), "site": ("Berlin",)},
        roles=("team/Developer",),
        accounts=("dev", "222233334444"),
        duration=14400,
        tags={"Department": "{department}", "CostCenter": "{cost_center|default:none}", "Team": ""},
        transitive=("Department",),
    )
    assert by_name.group_pattern.startswith("^AWS")
    assert by_name.duration == 3600
    assert no_admin.effect == "deny"
    assert no_admin.everyone
    assert len(no_admin.roles) == 2


def test_writes_what_it_reads() -> None:
    rules = parse_rules(WHOLE.encode(), ACCOUNTS)
    text = format_rules(rules)
    assert parse_rules(text.encode(), ACCOUNTS) == rules
    assert 'duration = "4h"' in text


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"rule = []"])
def test_a_file_without_rules_is_a_file(content: bytes) -> None:
    assert parse_rules(content, ACCOUNTS) == ()


def test_takes_a_byte_order_mark_and_windows_line_ends() -> None:
    content = b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode()
    assert len(parse_rules(content, ACCOUNTS)) == 3


MANY_TWICE = "[" + ", ".join(f"'u{n}'" for n in (*range(1, 10_000), 9999)) + "]"
FIFTY_ONE_TAGS = "{" + ", ".join(f"t{number} = 'x'" for number in range(51)) + "}"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"name": ""}, "no name"),
        ({"name": '""'}, "empty"),
        ({"name": "3"}, "not text"),
        ({"name": '"' + "x" * 129 + '"'}, "129"),
        ({"grups": '["x"]'}, "'grups' is not known"),
        ({"effect": '"permit"'}, '"allow" or "deny"'),
        ({"effect": "1"}, '"allow" or "deny"'),
        ({"users": ""}, "It says of nobody"),
        ({"users": '"ann"'}, '["...", "..."]'),
        ({"users": "[]"}, "an empty list"),
        ({"users": "[1]"}, "not text"),
        ({"users": '["ann", "ann"]'}, "twice"),
        ({"users": '["a\\u0000nn"]'}, "U+0000"),
        ({"users": '["a\\u202enn"]'}, "U+202E"),
        ({"users": '[" ann"]'}, "blank"),
        ({"users": "{ a = 1 }"}, "a table"),
        ({"everyone": "true"}, "useless"),
        ({"users": "", "everyone": "false"}, "can only be true"),
        ({"users": "", "everyone": '"yes"'}, "everyone = true"),
        ({"attributes": "[]"}, "attributes = {"),
        ({"attributes": "{}"}, "an empty table"),
        ({"attributes": "{ a = [] }"}, "an empty list"),
        ({"attributes": "{ a = { b = 1 } }"}, "a table"),
        ({"attributes": '{ a = ["x"], A = ["y"] }'}, "twice"),
        ({"group_pattern": "'^(?P<account>.)(?P<role>.)$'"}, "where that part goes"),
        ({"effect": '"deny"', "attributes": '{ Email = ["a@b"] }'}, "is no attribute"),
        ({"role_attribute": '"Directory"', "role": ""}, "is no attribute"),
        ({"group_pattern": "'AWS'", "role": ""}, "anchored"),
        (
            {
                "effect": '"deny"',
                "group_pattern": f"'^{'[a-z]+[A-Z]+' * 3}(?P<role>x)$'",
                "role": "",
            },
            "too many ways",
        ),
        ({"role": ""}, "names no role"),
        ({"role": '"a b"'}, "IAM role"),
        ({"role": '"/team/Admin"'}, "IAM role"),
        ({"role": '"' + "x" * 65 + '"'}, "IAM role"),
        ({"role": '"AWSReservedSSO_Admin_1"'}, "Identity Center"),
        ({"role": '"arn:aws:iam::1:role/A"', "accounts": ""}, "not the ARN"),
        ({"role": '"arn:aws:iam::111122223333:user/A"', "accounts": ""}, "not the ARN"),
        ({"role": '"arn:aws:iam::999999999999:role/A"', "accounts": ""}, "not registered"),
        ({"role": '"arn:aws:iam::333344445555:role/A"', "accounts": ""}, "arn:aws-us-gov:"),
        ({"role": '"arn:aws:iam::111122223333:role/A"'}, "Leave accounts out"),
        ({"accounts": ""}, "accounts are missing"),
        ({"accounts": '["test"]'}, "'test' is not registered"),
        ({"accounts": "[111122223333]"}, "not text"),
        ({"duration": '"13h"'}, "15 minutes to 12 hours"),
        ({"duration": "3600"}, "not text"),
        ({"tags": "[]"}, "tags = {"),
        ({"tags": "{ 'a,b' = 'x' }"}, "tag key"),
        ({"tags": "{ 'aws:x' = 'x' }"}, "aws:"),
        ({"tags": "{ '' = 'x' }"}, "0 characters"),
        ({"tags": "{ a = 'x<y' }"}, "'<'"),
        ({"tags": "{ a = 'aws:x' }"}, "aws:"),
        ({"tags": "{ a = '{b|default:<}' }"}, "'<'"),
        ({"tags": "{ a = '{b' }"}, "brace"),
        ({"tags": "{ a = 1 }"}, "not text"),
        ({"tags": "{ a = '" + "x" * 257 + "' }"}, "257"),
        ({"tags": "{ Dept = 'x', dept = 'y' }"}, "the same"),
        ({"tags": FIFTY_ONE_TAGS}, "51 session tags"),
        ({"transitive": '["Team"]'}, "not one of the rule's tags"),
        ({"effect": '"deny"', "duration": '"1h"'}, "A deny rule gives no session"),
        ({"effect": '"deny"', "tags": "{ a = 'x' }"}, "A deny rule gives no session"),
    ],
)
def test_refuses_what_can_not_be_meant_or_aws_would_refuse(keys: dict[str, str], said: str) -> None:
    found = problems_of(one_rule(**keys))
    assert any(said in problem for problem in found), found
    assert all(problem.startswith(("rule 'r'", "rule 1")) for problem in found)


def test_tells_all_mistakes_at_once_with_rule_key_and_line() -> None:
    text = (
        "# rules\n"
        + one_rule(duration='"5m"', accounts='["dev"]', typo="1")
        + one_rule(name='"second"', users="3")
        + one_rule()
    )
    found = problems_of(text)
    assert [problem.split(":")[0] for problem in found] == [
        "rule 'r', typo, line 8",
        "rule 'r', duration, line 7",
        "rule 'second', users, line 11",
        "rule 'r', name, line 15",
    ]
    assert "Rule 1 has the same name" in found[3]


def test_says_no_line_where_it_can_not_be_sure() -> None:
    text = one_rule(description='"""\n[[rule]]\n"""', effect="1")
    (problem,) = (each for each in problems_of(text) if "effect" in each)
    assert "line" not in problem


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[[rule]]\nname = 'caf\xe9'\n", "not UTF-8: line 2"),
        (b"\xff\xfe[\x00[\x00", "not UTF-8"),
        (b"[[rule]]\nname = 'a\x00b'\n", "not valid TOML"),
        (b"[[rule]]\nname = 'a\x1bb'\n", "not valid TOML"),
        (b"[[rule]\n", "not valid TOML"),
        (b"x" * (LARGEST_FILE + 1), "larger"),
        (b"a = " + b"[" * 100_000, "nested too deep"),
        (b"[[rule]]\nname = " + b"{a=" * 100_000, "nested too deep"),
        (b"[[rule]]\n" + b".".join([b"a"] * 100_000) + b" = 1\n", "too many dots in line 2"),
        (b"[[rule]]\nx = {" + b'"a" . ' * 100_000 + b"a = 1}\n", "too many dots in line 2"),
        (b"[[rule]]\ndescription = " + b"9" * 5_000, "too many digits"),
        (b"[rules]\n", "'rules'"),
        (b"rule = 3\n", "list of tables"),
        (b"rule = [3]\n", "list of tables"),
        (b"[rule]\nname = 'x'\n", "list of tables"),
        (b"<?xml version='1.0'?><rules/>", "not valid TOML"),
    ],
)
def test_refuses_what_is_no_rules_file_with_a_sentence(content: bytes, said: str) -> None:
    (problem,) = problems_of(content)
    assert said in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (one_rule() + "".join(f"k{n} = 1\n" for n in range(50_000)), "49,990 more keys"),
        (one_rule(users=f"[{', '.join(['7'] * 100_000)}]"), "100,000 values"),
        (one_rule(users=f"[{', '.join(['7'] * 10_000)}]"), "7 is not text"),
        ("".join(one_rule(name=f'"r{n}"', users=MANY_TWICE) for n in range(50)), "'u9999' stands"),
        (one_rule() + f"{'k' * 5_000_000} = 1\n", "kkk... is not known"),
        (one_rule(description="0x" + "f" * 100_000), "too many digits"),
    ],
)
def test_a_file_made_to_be_slow_is_refused_soon(text: str, said: str) -> None:
    began = time.process_time()
    found = problems_of(text)
    assert any(said in problem for problem in found)
    assert max(map(len, found)) < 1000
    assert time.process_time() - began < 20


def test_a_thousand_mistakes_are_counted_and_the_first_ones_shown() -> None:
    text = "".join(one_rule(name=f'"r{number}"', effect="1") for number in range(1000))
    with pytest.raises(RulesFileRefused) as refusal:
        parse_rules(text.encode(), ACCOUNTS)
    assert "1,000 mistakes" in refusal.value.message
    assert "950 more" in refusal.value.message
    assert len(refusal.value.problems) == 1000


VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.floats(0, 1) | st.text("ab{}|<\x00é ", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner),
    max_leaves=5,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(DOCUMENT_KEYS), VALUES))
def test_any_value_under_any_key_is_read_or_refused(table: dict[str, Any]) -> None:
    content = tomli_w.dumps({"rule": [table]}).encode()
    try:
        rules = parse_rules(content, ACCOUNTS)
    except RulesFileRefused as refusal:
        assert all(problem.startswith("rule ") for problem in refusal.problems)  # noqa: PT017
    else:
        RuleSet(rules, ACCOUNTS)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_rules_or_refused(content: bytes) -> None:
    try:
        parse_rules(content, ACCOUNTS)
    except RulesFileRefused as refusal:
        assert refusal.problems  # noqa: PT017
