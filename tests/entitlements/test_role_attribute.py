"""Roles that the directory itself names, in an attribute."""

from __future__ import annotations

import pytest

from idp.directory.person import Person
from idp.entitlements.account import Account, Accounts
from idp.entitlements.evaluate import evaluate
from idp.entitlements.rule import RoleRule
from idp.entitlements.rules_file import parse_rules
from idp.entitlements.ruleset import RuleSet

ACCOUNTS = Accounts(
    [
        Account("111122223333", "dev", "aws", "ExampleIdP"),
        Account("222233334444", "prod", "aws", "ExampleIdP"),
    ]
)
ROLE = "arn:aws:iam::111122223333:role/Developer"
PROVIDER = "arn:aws:iam::111122223333:saml-provider/ExampleIdP"
RULE = RoleRule("named", role_attribute="awsrole")


def person(*values: str) -> Person:
    return Person("corp", "1", "ann", "Ann", attributes={"awsrole": values})


@pytest.mark.parametrize(
    "value",
    [ROLE, f"{ROLE},{PROVIDER}", f"{PROVIDER},{ROLE}", f" {PROVIDER} , {ROLE} "],
)
def test_takes_role_and_provider_in_either_order_or_the_role_alone(value: str) -> None:
    found = evaluate(RuleSet([RULE], ACCOUNTS), person(value))
    assert [str(grant.role) for grant in found.grants] == [ROLE]
    assert str(found.grants[0].provider) == PROVIDER
    assert not found.unusable


def test_a_comma_in_a_role_name_belongs_to_it() -> None:
    role = "arn:aws:iam::111122223333:role/Dev,Ops=a@b"
    found = evaluate(RuleSet([RULE], ACCOUNTS), person(f"{role},{PROVIDER}"))
    assert [str(grant.role) for grant in found.grants] == [role]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Developer", "not the ARN of an IAM role"),
        (PROVIDER, "not the ARN of an IAM role"),
        (f"{ROLE},{ROLE}", "not the ARN of an IAM"),
        (f"{ROLE},{PROVIDER},{PROVIDER}", "more than a role and a SAML provider"),
        (f"{ROLE},{PROVIDER}-of-others", "knows us as"),
        (f"{ROLE},{PROVIDER.replace('111122223333', '222233334444')}", "knows us as"),
        ("arn:aws:iam::999999999999:role/Admin", "not registered"),
        ("arn:aws-cn:iam::111122223333:role/Admin", "partition"),
        ("arn:aws:iam::111122223333:role/AWSReservedSSO_x", "Identity Center"),
        ("arn:aws:iam::222233334444:role/Admin", "not among the rule's accounts"),
        ("", "not the ARN"),
        ("x" * 4096, "xxx..."),
    ],
)
def test_a_bad_value_gives_nothing_and_is_told(value: str, said: str) -> None:
    rule = RoleRule("named", role_attribute="awsrole", accounts=("dev",))
    found = evaluate(RuleSet([rule], ACCOUNTS), person(value, ROLE))
    assert [str(grant.role) for grant in found.grants] == [ROLE]
    (sentence,) = found.unusable
    assert said in sentence
    assert len(sentence) < 800
    assert sentence.startswith("the attribute awsrole")


def test_a_deny_takes_a_role_that_an_attribute_names() -> None:
    deny = RoleRule("deny", effect="deny", everyone=True, roles=("developer",), accounts=("dev",))
    assert not evaluate(RuleSet([RULE, deny], ACCOUNTS), person(ROLE)).grants


@pytest.mark.parametrize("value", [ROLE, f"{ROLE},{PROVIDER}", f"{PROVIDER}-of-others,{ROLE}"])
def test_a_deny_by_attribute_takes_the_role_whoever_would_vouch(value: str) -> None:
    everyone = RoleRule("all", everyone=True, roles=("Developer",), accounts=("dev",))
    deny = RoleRule("deny", effect="deny", role_attribute="awsrole")
    assert not evaluate(RuleSet([everyone, deny], ACCOUNTS), person(value)).grants
    assert evaluate(RuleSet([everyone, deny], ACCOUNTS), person("Developer")).grants


def test_the_rules_file_names_the_attribute_whatever_its_case() -> None:
    text = b'[[rule]]\nname = "n"\nrole_attribute = "awsRole"\nduration = "2h"\n'
    (read,) = parse_rules(text, ACCOUNTS)
    assert read.role_attribute == "awsrole"
    assert not evaluate(RuleSet([read], ACCOUNTS), Person("corp", "1", "b", "B")).grants
