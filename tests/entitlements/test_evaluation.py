"""From rules and a person to grants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from idp.directory.person import Group, Person
from idp.entitlements.account import Account
from idp.entitlements.evaluate import Grants, evaluate
from idp.entitlements.facts import Facts
from idp.entitlements.rule import RoleRule
from idp.entitlements.ruleset import RuleSet

DEV = Account("111122223333", "dev", "aws", "ExampleIdP")
PROD = Account("222233334444", "prod", "aws", "ProdIdP")
CHINA = Account("333344445555", "china", "aws-cn", "ExampleIdP")
ACCOUNTS = (DEV, PROD, CHINA)
USUAL = r"^AWS-(?P<account>[\w-]+)-(?P<role>[\w+=,.@]{1,64})$"


def person(
    *groups: str,
    username: str = "ann",
    directory: str = "local",
    attributes: Mapping[str, tuple[str, ...]] | None = None,
) -> Person:
    return Person(
        directory, "1", username, "Ann", None, tuple(map(Group, groups)), attributes or {}
    )


def rule(name: str = "r", **given: Any) -> RoleRule:
    usual: dict[str, Any] = {"roles": ("Developer",), "accounts": ("dev",)}
    return RoleRule(name, **(given if "group_pattern" in given else {**usual, **given}))


def grants(rules: Iterable[RoleRule], who: Person) -> Grants:
    return evaluate(RuleSet(tuple(rules), ACCOUNTS), who)


def roles(rules: Iterable[RoleRule], who: Person) -> list[str]:
    return [f"{grant.account_alias}:{grant.role.name}" for grant in grants(rules, who).grants]


@pytest.mark.parametrize(
    ("conditions", "who", "matches"),
    [
        ({"users": ("ann", "bob")}, person(), True),
        ({"users": ("ANN",)}, person(), True),
        ({"users": ("bob",)}, person(), False),
        ({"groups": ("developers", "ops")}, person("Ops"), True),
        ({"groups": ("developers",)}, person("developers-x"), False),
        ({"groups": ("developers",)}, person(), False),
        ({"groups": ("admins",)}, person("admin\u017f"), False),
        ({"attributes": {"department": ("a", "b")}}, person(attributes={"department": ("b",)}), 1),
        ({"attributes": {"department": ("a",)}}, person(attributes={"department": ("x", "a")}), 1),
        ({"attributes": {"department": ("a",)}}, person(attributes={"department": ("A",)}), 0),
        (
            {"attributes": {"department": ("a",), "site": ("x",)}},
            person(attributes={"department": ("a",)}),
            False,
        ),
        (
            {"attributes": {"department": ("a",), "site": ("x",)}},
            person(attributes={"department": ("a",), "site": ("x",)}),
            True,
        ),
        ({"users": ("ann",), "groups": ("ops",)}, person(), False),
        ({"users": ("ann",), "groups": ("ops",)}, person("ops"), True),
        ({"groups": ("ops",), "directory": "corp"}, person("ops"), False),
        ({"groups": ("ops",), "directory": "corp"}, person("ops", directory="corp"), True),
        ({"everyone": True}, person(), True),
        ({"everyone": True, "directory": "corp"}, person(), False),
        ({}, person(), True),
    ],
)
def test_a_person_has_to_meet_every_condition(
    conditions: dict[str, Any], who: Person, matches: bool
) -> None:
    assert roles([rule(**conditions)], who) == (["dev:Developer"] if matches else [])


def test_a_grant_carries_role_provider_duration_and_tags() -> None:
    given = rule(
        "developers",
        groups=("ops",),
        accounts=("222233334444",),
        roles=("team/Developer",),
        duration=14400,
        tags={"Department": "{department}", "Team": "payments"},
        transitive=("Department",),
    )
    (grant,) = grants([given], person("ops", attributes={"department": ("Research",)})).grants
    assert str(grant.role) == "arn:aws:iam::222233334444:role/team/Developer"
    assert str(grant.provider) == "arn:aws:iam::222233334444:saml-provider/ProdIdP"
    assert grant.account_alias == "prod"
    assert grant.duration == 14400
    assert grant.tags == {"Department": "Research", "Team": "payments"}
    assert grant.transitive == ("Department",)
    assert grant.rule == "developers"


def test_gives_every_role_in_every_account_sorted_by_alias_and_name() -> None:
    given = rule(everyone=True, roles=("B", "A"), accounts=("prod", "dev"))
    assert roles([given], person()) == ["dev:A", "dev:B", "prod:A", "prod:B"]


def test_a_role_by_arn_keeps_the_partition_of_its_account() -> None:
    given = rule(everyone=True, roles=("arn:aws-cn:iam::333344445555:role/Admin",), accounts=())
    (grant,) = grants([given], person()).grants
    assert str(grant.provider) == "arn:aws-cn:iam::333344445555:saml-provider/ExampleIdP"


def test_a_role_that_several_rules_give_is_one_grant_and_the_first_rule_decides() -> None:
    rules = [rule("first", everyone=True, duration=900), rule("second", everyone=True)]
    (grant,) = grants(rules, person()).grants
    assert (grant.rule, grant.duration) == ("first", 900)


@pytest.mark.parametrize("order", [1, -1])
def test_a_deny_wins_over_every_allow_wherever_it_stands(order: int) -> None:
    rules = [
        rule("allow", everyone=True, accounts=("dev", "prod")),
        rule("deny", users=("ann",), effect="deny"),
        rule("allow-too", users=("ann",), accounts=("dev", "prod")),
    ][::order]
    assert roles(rules, person()) == ["prod:Developer"]
    assert roles(rules, person(username="bob")) == ["dev:Developer", "prod:Developer"]


@pytest.mark.parametrize("spelling", ["developer", "team/Developer", "DEVELOPER"])
def test_a_deny_can_not_be_walked_around_by_another_spelling_of_the_role(spelling: str) -> None:
    rules = [
        rule("allow", everyone=True, roles=(spelling,)),
        rule("deny", everyone=True, effect="deny"),
    ]
    assert roles(rules, person()) == []


@pytest.mark.parametrize(
    "spelling",
    [
        "external staff",
        "EXTERNAL  Staff",
        "External\u00a0Staff",
        "\uff25xternal Staff",
        "Exter\u00adnal \u200bStaff",
        "External \u017ftaff",
    ],
)
def test_a_deny_can_not_be_walked_around_by_another_spelling_of_a_group_or_value(
    spelling: str,
) -> None:
    """What a directory may take for one name (RFC 4518) denies; it never gives."""
    in_group, of_kind = person(spelling), person(attributes={"kind": (spelling,)})
    for who, condition in (
        (in_group, {"groups": ("External Staff",)}),
        (of_kind, {"attributes": {"kind": ("External Staff",)}}),
    ):
        rules = [rule("allow", everyone=True), rule("deny", effect="deny", **condition)]
        assert roles(rules, who) == []
        assert roles(rules, person("External", attributes={"kind": ("Staff",)})) == [
            "dev:Developer"
        ]
    assert roles([rule(attributes={"kind": ("External Staff",)})], of_kind) == []
    given = roles([rule(groups=("External Staff",))], in_group)
    assert given == (["dev:Developer"] if spelling == "external staff" else [])


def test_a_deny_by_pattern_holds_whatever_the_case() -> None:
    everyone = rule("allow", everyone=True, accounts=("dev", "prod"))
    deny = rule("no", effect="deny", group_pattern=r"^No-(?P<account>[a-z]+)-(?P<role>[A-Za-z]+)$")
    assert roles([everyone, deny], person("nO-DEV-developer")) == ["prod:Developer"]
    assert roles([rule(group_pattern=USUAL)], person("aws-dev-Admin")) == []


def test_a_pattern_gives_what_the_groups_name() -> None:
    who = person("AWS-111122223333-Admin", "AWS-PROD-ReadOnly", "staff")
    assert roles([rule(group_pattern=USUAL)], who) == ["dev:Admin", "prod:ReadOnly"]


@pytest.mark.parametrize(
    "group",
    [
        "AWS-999999999999-Admin",
        "AWS-unknown-Admin",
        "AWS-dev-AWSReservedSSO_Admin",
        "AWS-prod-Admin",
        "XAWS-dev-Admin",
    ],
)
def test_a_pattern_gives_nothing_outside_registered_and_allowed_accounts(group: str) -> None:
    assert roles([rule(group_pattern=USUAL, accounts=("dev",))], person(group)) == []


def test_a_pattern_whose_allowed_accounts_are_all_gone_gives_nothing() -> None:
    given = rule(group_pattern=USUAL, accounts=("removed",))
    assert roles([given], person("AWS-dev-Admin")) == []


def test_an_account_that_is_not_registered_gives_nothing() -> None:
    given = rule(everyone=True, accounts=("999999999999", "dev"))
    by_arn = rule("b", everyone=True, roles=("arn:aws:iam::999999999999:role/A",), accounts=())
    other = rule("c", everyone=True, roles=("arn:aws:iam::333344445555:role/A",), accounts=())
    assert roles([given, by_arn, other], person()) == ["dev:Developer"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no attribute department"),
        (("",), "no attribute department"),
        (("a", "b"), "2 different values"),
        (("x" * 257,), "257"),
        (("</saml:AttributeValue>",), "'<'"),
        (("a\u0000b",), "contains"),
        (("a\u202eb",), "contains"),
        (("aws:x",), "aws:"),
        ((" blank",), "space"),
    ],
)
def test_withholds_a_role_whose_tag_would_be_wrong(
    value: tuple[str, ...] | None, reason: str
) -> None:
    rules = [
        rule("tagged", everyone=True, tags={"Department": "{department}"}),
        rule("plain", everyone=True, accounts=("dev", "prod")),
    ]
    found = grants(rules, person(attributes={"department": value} if value else {}))
    assert [str(grant.role) for grant in found.grants] == [
        "arn:aws:iam::222233334444:role/Developer"
    ]
    (problem,) = found.problems
    assert str(problem.role) == "arn:aws:iam::111122223333:role/Developer"
    assert problem.rule == "tagged"
    assert reason in problem.message
    assert "department" in problem.message


@pytest.mark.parametrize("value", ["x" * 256, "Ünïcode 部門", "a.b:c/d=e+f-g@h_i"])
def test_gives_a_tag_up_to_the_limits_of_aws(value: str) -> None:
    given = rule(everyone=True, tags={"Department": "{department}"})
    (grant,) = grants([given], person(attributes={"department": (value,)})).grants
    assert grant.tags == {"Department": value}


def test_a_denied_role_is_not_reported_as_withheld() -> None:
    rules = [
        rule("tagged", everyone=True, tags={"D": "{missing}"}),
        rule("deny", everyone=True, effect="deny"),
    ]
    assert grants(rules, person()) == Grants()


def test_looks_at_the_rules_that_name_the_person_and_at_no_others() -> None:
    def build(count: int) -> RuleSet:
        others = [rule(f"group-{number}", groups=(f"g{number}",)) for number in range(count)]
        others += [rule(f"user-{number}", users=(f"u{number}",)) for number in range(count)]
        others += [
            rule(f"attribute-{number}", attributes={"department": (f"d{number}",)})
            for number in range(count)
        ]
        others += [rule("deny", effect="deny", groups=("g2",), accounts=("prod",))]
        others += [
            rule(f"pattern-{number}", group_pattern=USUAL.replace("AWS", f"A{number}"))
            for number in range(count)
        ]
        others += [rule("all", everyone=True)]
        return RuleSet(others, ACCOUNTS)

    who = person("g1", "g2", "A5-prod-Reader", username="u3", attributes={"department": ("d4",)})
    expected = {"group-1", "group-2", "user-3", "attribute-4", "deny", "pattern-5", "all"}
    for count in (10, 10_000):
        candidates = build(count).candidates(Facts.of(who))
        assert {compiled.rule.name for compiled in candidates} == expected
        assert len(candidates) == len(expected)
