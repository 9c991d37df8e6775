"""Why someone gets a role or not."""

from __future__ import annotations

from collections.abc import Mapping

from idp.directory.person import Group, Person
from idp.entitlements.account import Account
from idp.entitlements.evaluate import evaluate
from idp.entitlements.explain import RuleOutcome, came_close, explain
from idp.entitlements.explain_words import story
from idp.entitlements.rule import RoleRule
from idp.entitlements.ruleset import RuleSet

ACCOUNTS = (
    Account("111122223333", "dev", "aws", "ExampleIdP"),
    Account("222233334444", "prod", "aws", "ExampleIdP"),
)
PATTERN = r"^AWS-(?P<account>\d{12})-(?P<role>\w+)$"


def person(*groups: str, attributes: Mapping[str, tuple[str, ...]] | None = None) -> Person:
    return Person("local", "1", "ann", "Ann", None, tuple(map(Group, groups)), attributes or {})


def rule(name: str, **given: object) -> RoleRule:
    return RoleRule(name, **{"roles": ("Developer",), "accounts": ("dev",), **given})  # type: ignore[arg-type]


def outcome(given: RoleRule, who: Person) -> RuleOutcome:
    (found,) = explain(RuleSet([given], ACCOUNTS), who)
    return found


def told(rules: list[RoleRule], who: Person, *, everything: bool = False) -> str:
    ruleset = RuleSet(rules, ACCOUNTS)
    lines = story(who, evaluate(ruleset, who), explain(ruleset, who), everything=everything)
    return "\n".join(lines)


def test_names_the_first_condition_that_failed_with_wanted_and_seen() -> None:
    given = rule("r", directory="local", groups=("admins", "ops"), attributes={"site": ("Oslo",)})
    found = outcome(given, person("staff", attributes={"site": ("Oslo",)}))
    assert not found.matches
    assert found.failed
    assert found.failed.wanted == "group admins or ops"
    assert found.failed.seen == "group staff"
    assert (found.met, found.asked, found.close) == (2, 3, 2)


def test_a_rule_that_wants_something_altogether_else_did_not_come_close() -> None:
    assert outcome(rule("r", groups=("admins",)), person("staff")).close == 0


def test_a_name_that_looks_alike_came_close() -> None:
    found = outcome(rule("r", groups=("developers",)), person("developer"))
    assert found.failed
    assert found.failed.hint == "group developer looks like developers"
    assert found.close == 1


def test_a_value_in_another_case_came_close() -> None:
    given = rule("r", attributes={"department": ("Engineering",)})
    found = outcome(given, person(attributes={"department": ("engineering",)}))
    assert found.failed
    assert "only in case or blanks" in found.failed.hint


def test_a_group_that_names_an_account_outside_came_closest() -> None:
    given = RoleRule("r", group_pattern=PATTERN, accounts=("dev",))
    unknown = outcome(given, person("AWS-999999999999-Admin"))
    assert unknown.matches
    assert unknown.outside == (
        "group AWS-999999999999-Admin names the account '999999999999', which is not registered",
    )
    assert unknown.close > 0
    barred = outcome(given, person("AWS-222233334444-Admin"))
    assert "not among the rule's accounts" in barred.outside[0]


def test_came_close_is_sorted_by_what_is_missing() -> None:
    rules = [
        rule("two-missing", directory="local", users=("bob",), groups=("x",)),
        rule("one-missing", directory="local", groups=("x",)),
        rule("far", groups=("x",)),
        rule("given", everyone=True),
    ]
    close = came_close(explain(RuleSet(rules, ACCOUNTS), person()))
    assert [found.rule for found in close] == ["one-missing", "two-missing"]


def test_says_which_rule_decided_for_each_role() -> None:
    rules = [
        rule("first", everyone=True, accounts=("dev", "prod")),
        rule("second", everyone=True),
        rule("deny", everyone=True, effect="deny", accounts=("prod",)),
        rule("tagged", everyone=True, roles=("Tagged",), tags={"D": "{department}"}),
    ]
    found = explain(RuleSet(rules, ACCOUNTS), person())
    fates = [
        (each.rule, role.account_alias, role.fate, role.by) for each in found for role in each.roles
    ]
    assert fates == [
        ("first", "dev", "given", ""),
        ("first", "prod", "denied", "deny"),
        ("second", "dev", "earlier_rule", "first"),
        ("deny", "prod", "denies", ""),
        ("tagged", "dev", "withheld", ""),
    ]
    assert "department" in found[3].roles[0].reason


def test_the_story_goes_from_grants_over_denials_to_what_came_close() -> None:
    rules = [
        rule(
            "first", groups=("ops",), accounts=("dev", "prod"), tags={"T": "x"}, transitive=("T",)
        ),
        rule("deny", everyone=True, effect="deny", accounts=("prod",)),
        rule("close", directory="local", groups=("admins",)),
        rule("far", groups=("zebra",)),
    ]
    text = told(rules, person("ops"))
    expected = [
        "ann (Ann), of the directory local",
        "groups: ops",
        "Gets 1 role:",
        "arn:aws:iam::111122223333:role/Developer",
        "by rule first",
        "T=x (transitive)",
        "Denied:",
        "rule first would give it, rule deny denies it",
        "Came close:",
        "rule close",
        "wants group admins; has group ops (1 of 2 conditions met)",
        "1 other rule did not come close",
    ]
    positions = [text.find(part) for part in expected]
    assert -1 not in positions, text
    assert positions == sorted(positions)
    assert "zebra" not in text
    assert "zebra" in told(rules, person("ops"), everything=True)


def test_the_story_of_someone_without_roles_says_so() -> None:
    assert "Gets no role." in told([], person())
