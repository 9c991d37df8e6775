"""Length and names of sessions, from attributes."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory.person import Person
from idp.entitlements.account import Account, Accounts
from idp.entitlements.evaluate import Grants, evaluate
from idp.entitlements.rule import RoleRule
from idp.entitlements.rules_file import RulesFileRefused, format_rules, parse_rules
from idp.entitlements.ruleset import RuleSet

ACCOUNTS = Accounts([Account("111122223333", "dev", "aws", "IdP")])


def given(attributes: dict[str, tuple[str, ...]], **fields: Any) -> Grants:
    rule = RoleRule("r", everyone=True, roles=("A",), accounts=("dev",), **fields)
    assert parse_rules(format_rules([rule]).encode(), ACCOUNTS) == (rule,)
    who = Person("local", "1", "ann", "Ann", "ann@corp.example", attributes=attributes)
    return evaluate(RuleSet([rule], ACCOUNTS), who)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2h", 7200), ("5400", 5400), ("45m", 2700), ("43200", 43_200), (None, 3600)],
)
def test_the_duration_comes_from_an_attribute(value: str | None, seconds: int) -> None:
    attributes: dict[str, tuple[str, ...]] = {"awssessionduration": (value,)} if value else {}
    found = given(attributes, duration="{awsSessionDuration|default:1h}")
    assert [grant.duration for grant in found.grants] == [seconds]


@pytest.mark.parametrize("value", ["13h", "60", "long", "1 h", "-900", "٩٩٩٩"])
def test_a_duration_that_aws_refuses_withholds_the_role(value: str) -> None:
    found = given({"d": (value,)}, duration="{d}")
    assert not found.grants
    assert "(From the attribute d.)" in found.problems[0].message


def test_names_come_from_attributes_and_are_checked() -> None:
    fields = {"role_session_name": "{email}", "source_identity": "{employee}"}
    (grant,) = given({"employee": ("e-17",)}, **fields).grants
    assert (grant.session_name, grant.source_identity) == ("ann@corp.example", "e-17")
    assert "The SourceIdentity can't be made" in given({}, **fields).problems[0].message
    refused = given({"employee": ("a b",)}, **fields)
    assert "'a b' is not 2 to 64" in refused.problems[0].message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('duration = "{d|default:13h}"', "15 minutes to 12 hours"),
        ('duration = "{d"', "brace"),
        ('role_session_name = "a b"', "RoleSessionName"),
        ('source_identity = "aws:x"', "SourceIdentity"),
    ],
)
def test_what_is_the_same_for_everyone_is_refused_with_the_file(line: str, said: str) -> None:
    text = f'[[rule]]\nname = "r"\neveryone = true\nrole = "A"\naccounts = ["dev"]\n{line}\n'
    with pytest.raises(RulesFileRefused, match=said):
        parse_rules(text.encode(), ACCOUNTS)
