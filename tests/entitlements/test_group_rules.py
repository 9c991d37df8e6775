"""Rules by where groups lie, by DN and by SID; and by the directory that a person is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from idp.directory.person import Group, Person
from idp.entitlements.account import Account, Accounts
from idp.entitlements.directory_scope import DirectoryKind
from idp.entitlements.evaluate import evaluate
from idp.entitlements.explain import explain
from idp.entitlements.rule import RoleRule
from idp.entitlements.rules_file import RulesFileRefused, format_rules, parse_rules
from idp.entitlements.ruleset import RuleSet

ACCOUNTS = Accounts([Account("111122223333", "dev", "aws", "IdP")])
BASE = "OU=AWS,DC=corp,DC=example"
INSIDE = f"CN=any,{BASE}"
OUTSIDE = "CN=any,OU=Interns,DC=corp,DC=example"
PATTERN = r"^AWS-(?P<account>\d{12})-(?P<role>\w+)$"
SID = "S-1-5-21-1004336348-1177238915-682003330-512"


def person(*groups: Group, directory: str = "corp") -> Person:
    return Person(directory, "1", "ann", "Ann", None, groups)


def rule(name: str = "r", **given: Any) -> RoleRule:
    fixed = {} if "group_pattern" in given else {"roles": ("Admin",), "accounts": ("dev",)}
    return RoleRule(name, **{**fixed, **given})


def gets(who: Person, *rules: RoleRule) -> bool:
    return bool(evaluate(RuleSet(rules, ACCOUNTS), who).grants)


@pytest.mark.parametrize(
    "whom",
    [
        {"groups": ("admins",), "group_base": (BASE,)},
        {"group_pattern": PATTERN, "group_base": ("OU=Other,DC=corp,DC=example", BASE)},
    ],
)
def test_a_group_counts_only_under_the_base(whom: dict[str, Any]) -> None:
    name = "AWS-111122223333-Admin" if "group_pattern" in whom else "Admins"
    assert gets(person(Group(name, INSIDE.lower())), rule(**whom))
    assert not gets(person(Group(name, OUTSIDE)), rule(**whom))
    assert not gets(person(Group(name)), rule(**whom))
    assert not gets(person(Group(name, "no DN at all")), rule(**whom))
    assert not gets(person(Group(name, OUTSIDE), Group("else", INSIDE)), rule(**whom))
    assert gets(person(Group(name, OUTSIDE), Group(name, INSIDE)), rule(**whom))


def test_a_deny_counts_a_group_of_which_nobody_knows_where_it_lies() -> None:
    allow = rule("allow", everyone=True)
    deny = rule("deny", effect="deny", groups=("interns",), group_base=(BASE,))
    assert not gets(person(Group("interns", INSIDE)), allow, deny)
    assert not gets(person(Group("interns")), allow, deny)
    assert not gets(person(Group("interns", "broken\\")), allow, deny)
    assert gets(person(Group("interns", OUTSIDE)), allow, deny)


@pytest.mark.parametrize(
    "spelling",
    [
        "CN=External Staff,OU=Old Groups,DC=corp",
        "cn=EXTERNAL  staff , OU=Old  Groups,DC=corp",
        "CN=External\\20\\20Staff,OU=Old\u00a0Groups,DC=corp",
        "CN=\uff25xternal Staff,OU=Old Groups,DC=corp",
    ],
)
def test_a_deny_by_dn_holds_for_every_spelling_of_it(spelling: str) -> None:
    """Directories take them for one (RFC 4518); a rule that gives does not."""
    allow, who = rule("allow", everyone=True), person(Group("staff", spelling))
    dn, base = "CN=External Staff,OU=Old Groups,DC=corp", "OU=Old Groups,DC=corp"
    assert not gets(who, allow, rule("deny", effect="deny", group_dns=(dn,)))
    assert not gets(who, allow, rule("deny", effect="deny", groups=("staff",), group_base=(base,)))
    assert gets(who, rule(group_dns=(dn,))) is (spelling == dn)
    assert gets(who, allow, rule("deny", effect="deny", group_dns=(f"CN=x,{base}",)))


def test_a_group_is_told_by_its_dn_or_sid_and_not_by_a_name_that_looks_like_one() -> None:
    by_dn, by_sid = rule("dn", group_dns=(INSIDE,)), rule("sid", group_sids=(SID,))
    assert gets(person(Group("x", INSIDE.upper())), by_dn)
    assert gets(person(Group("x", sid=SID)), by_sid)
    for spoof in (Group(INSIDE, OUTSIDE), Group(SID, OUTSIDE), Group("x", f"CN={SID},DC=x")):
        assert not gets(person(spoof), by_dn, by_sid, rule("name", groups=("any",)))


def test_the_explanation_says_where_the_group_lies_instead() -> None:
    ruleset = RuleSet([rule(groups=("admins",), group_base=(BASE,))], ACCOUNTS)
    (found,) = explain(ruleset, person(Group("Admins", OUTSIDE)))
    assert found.failed
    assert found.failed.wanted == f"group admins under {BASE}"
    assert found.failed.hint == f"group Admins lies at {OUTSIDE}, which is not under {BASE}"


def parsed(
    directories: Mapping[str, DirectoryKind] | None, *rules: RoleRule
) -> tuple[RoleRule, ...]:
    return parse_rules(format_rules(rules).encode(), ACCOUNTS, directories)


def refusal(directories: Mapping[str, DirectoryKind] | None, *rules: RoleRule) -> str:
    with pytest.raises(RulesFileRefused) as problem:
        parsed(directories, *rules)
    return problem.value.message


def test_with_one_directory_a_rule_is_held_to_it_and_stays_so() -> None:
    named = rule(groups=("admins",))
    (applied,) = parsed({"local": "local"}, named)
    assert applied.directory == "local"
    assert gets(person(Group("admins"), directory="local"), applied)
    assert not gets(person(Group("admins"), directory="corp"), applied)


def test_with_several_directories_a_rule_that_gives_says_which() -> None:
    both: dict[str, DirectoryKind] = {"local": "local", "corp": "active_directory"}
    for whom in (
        {"users": ("ann",)},
        {"groups": ("admins",)},
        {"attributes": {"site": ("x",)}},
        {"group_sids": (SID,)},
    ):
        assert "Write directory = one of corp, local" in refusal(both, rule(**whom))
        assert parsed(both, rule(directory="corp", **whom))
        assert parsed(both, rule(effect="deny", **whom))
    assert parsed(both, rule(everyone=True))


def test_refuses_a_directory_that_there_is_not() -> None:
    typo = rule(effect="deny", directory="crop", users=("ann",))
    assert "There is no directory 'crop'" in refusal({"corp": "ldap"}, typo)


def test_a_pattern_over_a_directory_of_others_needs_a_base() -> None:
    pattern = rule(group_pattern=PATTERN)
    assert "would take any directory's groups" in refusal(None, pattern)
    assert parsed({"local": "local"}, pattern)
    assert "could name himself an administrator" in refusal({"corp": "ldap"}, pattern)
    assert parsed({"corp": "ldap"}, rule(group_pattern=PATTERN, group_base=(BASE,)))
    assert parsed({"corp": "ldap"}, rule(group_pattern=PATTERN, effect="deny"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"group_base": ("nonsense",), "groups": ("a",)}, "not a distinguished name"),
        ({"group_base": (BASE,), "users": ("a",)}, "but not which ones"),
        ({"group_dns": ("admins",)}, "not a distinguished name"),
        ({"group_sids": ("admins",)}, "not a security identifier"),
        ({"group_sids": ("S-1-5-021-1-2-3-512",)}, "not a security identifier"),
        ({"group_pattern": "^AWS-(?P<role>a)$"}, "accounts are missing"),
        ({"group_pattern": r"^AWS-(?P<account>\d+)$"}, "the role is missing"),
        ({"group_pattern": PATTERN, "roles": ("Admin",)}, "where that part goes"),
        ({"group_pattern": PATTERN, "roles": ("{role}-{role}",)}, "where that part goes"),
        ({"group_pattern": PATTERN, "roles": ("arn:aws:iam::111122223333:role/A",)}, "An ARN"),
    ],
)
def test_refuses_what_can_not_be_meant(given: dict[str, Any], said: str) -> None:
    assert said in refusal(None, rule(**{"directory": "local", **given}))


def test_a_pattern_may_leave_the_account_or_the_role_to_the_rule() -> None:
    adfs = RoleRule(
        "adfs",
        directory="corp",
        group_pattern=r"^AWS-(?P<role>\w+)$",
        roles=("ADFS-{role}",),
        accounts=("dev",),
    )
    admins = RoleRule(
        "admins",
        directory="corp",
        group_pattern=r"^admins of (?P<account>[a-z]+)$",
        roles=("Admin", "ReadOnly"),
    )
    assert parsed(None, adfs, admins) == (adfs, admins)
    who = person(Group("AWS-Prod"), Group("admins of dev"), Group("admins of nowhere"))
    found = evaluate(RuleSet([adfs, admins], ACCOUNTS), who)
    assert [grant.role.name for grant in found.grants] == ["ADFS-Prod", "Admin", "ReadOnly"]
    long = person(Group("AWS-" + "x" * 60))
    assert not gets(long, adfs)
