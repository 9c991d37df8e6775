"""Trust policies: what is allowed, what isn't, and the sentence that says why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from idp.sandbox.conditions import wildcard_match
from idp.sandbox.trust_policy import Decision, actions_needed, evaluate
from tests.sandbox.maker import PROVIDER

ALL = ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]
CONTEXT = {
    "saml:aud": ("https://signin.aws.amazon.com/saml",),
    "saml:sub_type": ("persistent",),
    "saml:edupersonaffiliation": ("staff", "member"),
    "sts:RoleSessionName": ("ann@example.com",),
    "aws:RequestTag/Team": ("blue",),
    "aws:TagKeys": ("Team", "Cost"),
}


def statement(**changes: Any) -> dict[str, Any]:
    made = {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": ALL, **changes}
    return {name: value for name, value in made.items() if value is not None}


def decide(*statements: Any, tags: bool = True, source_identity: bool = True) -> Decision:
    return evaluate(
        json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
        federated=PROVIDER,
        actions=actions_needed(tags=tags, source_identity=source_identity),
        context=CONTEXT,
    )


def test_allows_what_the_example_of_aws_allows() -> None:
    assert decide(statement()).allowed
    assert decide(
        statement(Action="sts:AssumeRoleWithSAML"),
        statement(Action=["sts:TagSession", "STS:setsourceidentity"]),
    ).allowed
    assert decide(statement(Action="sts:*", Principal="*")).allowed


@pytest.mark.parametrize(
    ("actions", "refused"),
    [
        (ALL[:1], ("sts:TagSession", "sts:SetSourceIdentity")),
        (ALL[:2], ("sts:SetSourceIdentity",)),
        (ALL[1:], ("sts:AssumeRoleWithSAML",)),
        ("sts:AssumeRole", tuple(ALL)),
    ],
)
def test_each_action_must_be_allowed(actions: Any, refused: tuple[str, ...]) -> None:
    decision = decide(statement(Action=actions))
    assert not decision.allowed
    assert decision.refused == refused
    assert any("does not name the action" in line for line in decision.explanation())


def test_tags_and_source_identity_ask_for_actions_only_when_sent() -> None:
    assert decide(statement(Action=ALL[0]), tags=False, source_identity=False).allowed


@pytest.mark.parametrize(
    "principal",
    [
        {"Federated": PROVIDER + "2"},
        {"Federated": PROVIDER.lower()},
        {"AWS": "*"},
        {},
        {"Federated": "*"},
    ],
)
def test_another_principal_is_not_trusted(principal: Any) -> None:
    decision = decide(statement(Principal=principal))
    assert not decision.allowed
    assert any("trusts" in line for line in decision.explanation())


UNREADABLE_PRINCIPALS: list[Any] = [
    None,
    {},
    [],
    "",
    PROVIDER,
    ["*"],
    {"Federated": "*"},
    {"Federated": ["*"]},
    {"Federated": [PROVIDER, "*"]},
    {"Federated": [PROVIDER + "2", "*"]},
    {"Federated": PROVIDER.rpartition("/")[0] + "/*"},
    {"Federated": PROVIDER[:-1] + "?"},
    {"Federated": "${aws:FederatedProvider}"},
    {"Federated": []},
    {"Federated": ""},
    {"Federated": None},
    {"Federated": {"Arn": PROVIDER}},
    {"Federated": [PROVIDER, 5]},
    {"federated": PROVIDER},
    {"FEDERATED": PROVIDER},
    {"Federated": PROVIDER, "federated": PROVIDER},
    {"Federated ": PROVIDER},
    {"SAML": PROVIDER},
    {"*": "*"},
    {"aws": "*"},
    {"AWS": "arn:aws:iam::*:root"},
    {"AWS": ["*", 5]},
    {"Service": "*"},
]
EVERYBODY: list[Any] = [{"AWS": "*"}, {"AWS": ["*"]}, {"AWS": ["arn:aws:iam::1:root", "*"]}]
OTHERS: list[Any] = [
    {"Federated": PROVIDER + "2"},
    {"AWS": "arn:aws:iam::111122223333:root"},
    {"Service": ["ec2.amazonaws.com"]},
    {"CanonicalUser": "79a59df900b949e5"},
]
NAMING: list[Any] = [
    "*",
    {"Federated": PROVIDER},
    {"Federated": [PROVIDER + "2", PROVIDER]},
    {"AWS": "*", "Federated": PROVIDER},
]


@pytest.mark.parametrize("principal", [*UNREADABLE_PRINCIPALS, *EVERYBODY])
def test_a_principal_that_may_mean_anybody_never_opens_and_always_shuts(principal: Any) -> None:
    assert not decide({**statement(), "Principal": principal}).allowed
    decision = decide(statement(), {**statement(Effect="Deny"), "Principal": principal})
    assert not decision.allowed
    assert decision.refused == tuple(ALL)
    assert all(reason.sentence for reason in decision.reasons)


@pytest.mark.parametrize("principal", OTHERS)
def test_a_principal_that_names_others_neither_opens_nor_shuts(principal: Any) -> None:
    assert not decide(statement(Principal=principal)).allowed
    assert decide(statement(), statement(Effect="Deny", Principal=principal)).allowed


@pytest.mark.parametrize("principal", NAMING)
def test_a_principal_that_names_the_provider_opens_and_shuts(principal: Any) -> None:
    assert decide(statement(Principal=principal)).allowed
    assert not decide(statement(), statement(Effect="Deny", Principal=principal)).allowed


@pytest.mark.parametrize(
    "change",
    [
        {"NotPrincipal": {"AWS": "*"}},
        {"principal": {"Federated": PROVIDER}},
        {"Resource": "*"},
        {"Action": []},
        {"Action": None},
        {"Action": ["sts:*", 5]},
    ],
)
def test_a_statement_that_is_not_understood_never_opens_and_always_shuts(change: Any) -> None:
    assert not decide(statement(**change)).allowed
    assert not decide(statement(), statement(Effect="Deny", **change)).allowed


@pytest.mark.parametrize(
    "effect", ["deny", "DENY", "allow", "ALLOW", " Deny", "Refuse", "", 0, ["Deny"], {}, None]
)
def test_an_effect_that_is_not_exact_makes_the_whole_policy_refuse(effect: Any) -> None:
    odd = {**statement(Action="s3:GetObject"), "Effect": effect}
    without = {name: value for name, value in odd.items() if name != "Effect"}
    for one in (odd, without):
        for statements in ((statement(), one), (one, statement()), (one,)):
            decision = decide(*statements)
            assert decision.refused == tuple(ALL)
            assert any("has the Effect" in line for line in decision.explanation())


@pytest.mark.parametrize("odd", ["Deny", 5, None, ["Deny"]])
def test_a_statement_that_is_no_object_makes_the_whole_policy_refuse(odd: Any) -> None:
    decision = decide(statement(), odd)
    assert not decision.allowed
    assert any("is not a JSON object" in line for line in decision.explanation())


def test_an_explicit_deny_wins() -> None:
    deny = statement(Effect="Deny", Condition={"StringLike": {"sts:RoleSessionName": "ann*"}})
    assert not decide(statement(), deny).allowed
    other = statement(Effect="Deny", Condition={"StringLike": {"sts:RoleSessionName": "bob*"}})
    assert decide(statement(), other).allowed


MET = [
    {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
    {"StringEquals": {"saml:AUD": ["https://x", "https://signin.aws.amazon.com/saml"]}},
    {"stringequals": {"saml:sub_type": "persistent"}},
    {"StringEqualsIgnoreCase": {"saml:sub_type": "PERSISTENT"}},
    {"StringNotEquals": {"saml:sub_type": "transient"}},
    {"StringNotEquals": {"saml:nothing": "x"}},
    {"StringLike": {"sts:RoleSessionName": "*@example.com"}},
    {"StringLike": {"aws:RequestTag/team": "bl?e"}},
    {"StringNotLike": {"sts:RoleSessionName": "*@other.com"}},
    {"StringEqualsIfExists": {"saml:nothing": "x"}},
    {"StringLikeIfExists": {"saml:sub_type": "pers*"}},
    {"Null": {"saml:nothing": "true", "saml:aud": "false"}},
    {"Null": {"saml:nothing": True}},
    {"ForAnyValue:StringEquals": {"saml:edupersonaffiliation": ["staff"]}},
    {"ForAnyValue:StringLike": {"saml:edupersonaffiliation": ["mem*", "x"]}},
    {"ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Cost", "Other"]}},
    {"ForAllValues:StringLike": {"aws:TagKeys": ["*"]}},
    {"ForAllValues:StringEquals": {"saml:nothing": ["x"]}},
    {"BoolIfExists": {"saml:nothing": "true"}},
]
UNMET = [
    {"StringEquals": {"saml:aud": "https://signin.aws.amazon.com/SAML"}},
    {"StringEquals": {"saml:sub_type": "PERSISTENT"}},
    {"StringEquals": {"saml:sub_type": "persistent", "saml:aud": "x"}},
    {"StringEquals": {"saml:nothing": "x"}},
    {"StringNotEquals": {"saml:sub_type": ["transient", "persistent"]}},
    {"StringLike": {"sts:RoleSessionName": "*.example.com"}},
    {"StringLike": {"saml:sub_type": "Persistent"}},
    {"StringNotLike": {"sts:RoleSessionName": "ann*"}},
    {"StringEqualsIfExists": {"saml:sub_type": "x"}},
    {"Null": {"saml:aud": "true"}},
    {"Bool": {"saml:nothing": "true"}},
    {"ForAnyValue:StringEquals": {"saml:edupersonaffiliation": ["student"]}},
    {"ForAnyValue:StringEquals": {"saml:nothing": ["x"]}},
    {"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}},
]
SENSELESS: list[Any] = [
    {"StringResembles": {"saml:aud": "x"}},
    {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
    {"ForSomeValues:StringEquals": {"saml:aud": "x"}},
    {"StringEquals": "x"},
    {"StringEquals": {"saml:aud": {"a": "b"}}},
    ["x"],
    {"StringLike": {"sts:RoleSessionName": "${saml:sub}"}},
    {"StringEquals": {"sts:RoleSessionName": ["ann@example.com", "${saml:sub}"]}},
    {"StringNotEquals": {"sts:RoleSessionName": "${saml:sub, 'x'}"}},
    {"StringLike": {"sts:RoleSessionName": "ann${*}"}},
    {"StringEqualsIfExists": {"saml:nothing": "${saml:sub}"}},
    {"Null": {"saml:nothing": "yes"}},
    {"Null": {"saml:nothing": ""}},
    {"Null": {"saml:aud": "no"}},
    {"Null": {"saml:aud": ["false", "nonsense"]}},
    {"Null": {"saml:nothing": 1}},
    {"Null": {"saml:nothing": []}},
    {"NullIfExists": {"saml:nothing": "true"}},
    {"ForAllValues:Null": {"saml:nothing": "true"}},
    {"BoolIfExists": {"saml:nothing": "yes"}},
    {"StringNotEquals": {"saml:aud": []}},
]


@pytest.mark.parametrize("condition", MET)
def test_a_condition_that_is_met(condition: Any) -> None:
    assert decide(statement(Condition=condition)).allowed


@pytest.mark.parametrize("condition", UNMET)
def test_a_condition_that_is_not_met(condition: Any) -> None:
    decision = decide(statement(Condition=condition))
    assert not decision.allowed
    assert any("wants" in line for line in decision.explanation())


@pytest.mark.parametrize("condition", SENSELESS)
def test_what_is_not_understood_never_opens_and_always_shuts(condition: Any) -> None:
    assert not decide(statement(Condition=condition)).allowed
    assert not decide(statement(), statement(Effect="Deny", Condition=condition)).allowed


@pytest.mark.parametrize(
    "document",
    ["", "[]", "{}", "not json", '{"Statement": 5}', '{"Statement": [{}]}', "[" * 100_000],
)
def test_an_unreadable_policy_allows_nothing(document: str) -> None:
    decision = evaluate(document, federated=PROVIDER, actions=ALL, context=CONTEXT)
    assert not decision.allowed
    assert decision.explanation()


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("*", "", True),
        ("a*c", "abbc", True),
        ("a*c", "abbcd", False),
        ("?", "", False),
        ("a?c", "a\nc", True),
        ("*a*b", "xaxbxb", True),
        ("[a]", "a", False),
        ("a*" * 40 + "b", "a" * 2000, False),
    ],
)
def test_wildcards(pattern: str, text: str, fits: bool) -> None:
    assert wildcard_match(pattern, text) is fits
