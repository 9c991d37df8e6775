"""Whatever the rules and the person: the index changes nothing, a deny holds, accounts bound all.

The expected answer comes from a reading of the rules one by one that shares no code with idp.
"""

from __future__ import annotations

import re
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from idp.aws.arn import RoleArn
from idp.directory.person import Group, Person
from idp.entitlements.account import Account, Accounts
from idp.entitlements.evaluate import evaluate
from idp.entitlements.explain import explain
from idp.entitlements.rule import RoleRule
from idp.entitlements.rules_file import format_rules, parse_rules
from idp.entitlements.ruleset import RuleSet

ACCOUNTS = (
    Account("111122223333", "dev", "aws", "IdP"),
    Account("222233334444", "prod", "aws", "IdP"),
    Account("333344445555", "gov", "aws-us-gov", "IdP"),
)
NUMBERS = {account.alias: account.number for account in ACCOUNTS}
PARTITIONS = {account.number: account.partition for account in ACCOUNTS}
PATTERNS = (
    r"^AWS-(?P<account>\d{12})-(?P<role>[\w+=,.@-]{1,64})$",
    r"^aws#(?P<role>[^#]+)#(?P<account>[^#]+)$",
    r"^(?P<account>\w+)\.(?P<role>.*)$",
)
BASE = "OU=AWS,DC=corp"
PLACES = {
    None: False,
    f"CN=g,{BASE}": True,
    "cn=G,ou=aws,dc=CORP": True,
    "CN=g,OU=X,DC=corp": False,
}
ROLES = ("Admin", "admin", "ReadOnly", "team/Admin")
GROUPS = (
    *("ops", "staff", "OPS", "dev.Admin", "prod.", "gov.bad role", "other.Admin", "prod.x/y"),
    *("AWS-111122223333-Admin", "AWS-999999999999-Admin", "aws#ReadOnly#prod", "aws#A#gov"),
)


def subsets(values: tuple[str, ...], most: int = 3) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True).map(tuple)


@st.composite
def rules(draw: st.DrawFn, name: str) -> RoleRule:
    by_pattern = draw(st.booleans())
    arn = not by_pattern and draw(st.booleans())
    some_accounts = st.lists(
        st.sampled_from(("dev", "prod", "333344445555")), min_size=1, max_size=3, unique=True
    ).map(tuple)
    effect = draw(st.sampled_from(("allow", "allow", "deny")))
    users = draw(subsets(("ann", "BOB")))
    groups = () if by_pattern else draw(subsets(("ops", "Staff", "dev.admin")))
    attributes = draw(
        st.dictionaries(
            st.sampled_from(("department", "site")),
            st.lists(st.sampled_from(("a", "b")), min_size=1, unique=True).map(tuple),
        )
    )
    names = draw(st.lists(st.sampled_from(ROLES), min_size=1, max_size=2, unique=True))
    allow = effect == "allow"
    tags = draw(st.sampled_from(({}, {"D": "{department}"}, {"D": "{site|default:x}", "E": "e"})))
    return RoleRule(
        name=name,
        effect="allow" if allow else "deny",
        everyone=not (users or groups or attributes or by_pattern),
        directory=draw(st.sampled_from(("local", "corp") if by_pattern else ("", "local", "corp"))),
        users=users,
        groups=groups,
        attributes=attributes,
        group_pattern=draw(st.sampled_from(PATTERNS)) if by_pattern else "",
        group_base=draw(st.sampled_from(((), (BASE,)))) if by_pattern or groups else (),
        factors=draw(st.sampled_from(((), (), ("password",), ("kerberos", "totp")))),
        roles=()
        if by_pattern
        else tuple(f"arn:aws:iam::111122223333:role/{each}" for each in names)
        if arn
        else tuple(names),
        accounts=()
        if arn
        else draw(st.one_of(st.just(()), some_accounts) if by_pattern else some_accounts),
        duration=draw(st.integers(900, 43200)) if allow else 3600,
        tags=tags if allow else {},
        transitive=tuple(tags)[:1] if allow else (),
    )


RULE_LISTS = st.integers(0, 6).flatmap(
    lambda count: st.tuples(*(rules(f"rule-{number}") for number in range(count)))
)
PEOPLE = st.builds(
    Person,
    directory=st.sampled_from(("local", "corp")),
    directory_id=st.just("1"),
    username=st.sampled_from(("ann", "bob", "cy")),
    display_name=st.just("Someone"),
    groups=st.lists(
        st.builds(Group, st.sampled_from(GROUPS), st.sampled_from(tuple(PLACES))), max_size=6
    ).map(tuple),
    attributes=st.dictionaries(
        st.sampled_from(("department", "site")),
        st.lists(st.sampled_from(("a", "b", "<")), max_size=2).map(tuple),
    ),
)


def naive_groups(rule: RoleRule, who: Person) -> list[str]:
    """Names of the groups that count; for a deny also those that lie nobody knows where."""
    return [
        group.name
        for group in who.groups
        if not rule.group_base or PLACES[group.dn] or (group.dn is None and rule.effect == "deny")
    ]


def naive_match(rule: RoleRule, who: Person) -> bool:
    groups = naive_groups(rule, who)
    if rule.factors and rule.effect == "allow":
        return False  # nobody knows how they signed in
    return (
        (not rule.directory or rule.directory == who.directory)
        and (not rule.users or who.username in [user.lower() for user in rule.users])
        and (
            not rule.groups or any(a.lower() == b.lower() for a, b in product(groups, rule.groups))
        )
        and all(
            set(values) & set(who.attributes.get(n, ())) for n, values in rule.attributes.items()
        )
    )


def naive_roles(rule: RoleRule, who: Person) -> list[str]:
    if not naive_match(rule, who):
        return []
    listed = [NUMBERS.get(name, name) for name in rule.accounts]
    if not rule.group_pattern:
        arns = [role for role in rule.roles if role.startswith("arn:")]
        return arns + [
            f"arn:{PARTITIONS[number]}:iam::{number}:role/{role}"
            for number in listed
            for role in rule.roles
            if not role.startswith("arn:")
        ]
    found = []
    for name in naive_groups(rule, who):
        if match := re.fullmatch(rule.group_pattern, name, re.ASCII):
            number = NUMBERS.get(match["account"], match["account"])
            role = match["role"]
            good = re.fullmatch(r"([!-~]+/)?[A-Za-z0-9_+=,.@-]{1,64}", role)
            if number in PARTITIONS and (not listed or number in listed) and good:
                found.append(f"arn:{PARTITIONS[number]}:iam::{number}:role/{role}")
    return found


def same_role(arn: str) -> tuple[str, str]:
    return arn.split(":")[4], arn.rsplit("/", 1)[1].lower()


@settings(max_examples=300, deadline=None)
@given(RULE_LISTS, PEOPLE)
def test_the_index_finds_what_a_look_at_every_rule_finds(
    given_rules: tuple[RoleRule, ...], who: Person
) -> None:
    denied = {
        same_role(arn)
        for rule in given_rules
        if rule.effect == "deny"
        for arn in naive_roles(rule, who)
    }
    first: dict[str, str] = {}
    for rule in given_rules:
        if rule.effect == "allow":
            for arn in naive_roles(rule, who):
                first.setdefault(arn, rule.name)
    expected = {arn: name for arn, name in first.items() if same_role(arn) not in denied}

    found = evaluate(RuleSet(given_rules, ACCOUNTS), who)

    given_by = {str(grant.role): grant.rule for grant in found.grants}
    withheld_by = {str(problem.role): problem.rule for problem in found.problems}
    assert not given_by.keys() & withheld_by.keys()
    assert given_by | withheld_by == expected
    order = [(grant.account_alias, grant.role.name, grant.role.path) for grant in found.grants]
    assert order == sorted(order)


@settings(max_examples=200, deadline=None)
@given(RULE_LISTS, PEOPLE)
def test_a_deny_never_yields_a_grant_and_never_adds_one(
    given_rules: tuple[RoleRule, ...], who: Person
) -> None:
    denies = tuple(rule for rule in given_rules if rule.effect == "deny")
    allows = tuple(rule for rule in given_rules if rule.effect == "allow")
    assert not evaluate(RuleSet(denies, ACCOUNTS), who).grants
    with_denies = {grant.role for grant in evaluate(RuleSet(given_rules, ACCOUNTS), who).grants}
    without = {grant.role for grant in evaluate(RuleSet(allows, ACCOUNTS), who).grants}
    assert with_denies <= without


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(PATTERNS),
    subsets(("dev", "222233334444"), most=2),
    st.lists(
        st.one_of(
            st.text(max_size=40),
            st.builds(
                "AWS-{}-{}".format, st.sampled_from(("111122223333", "999999999999")), st.text()
            ),
            st.builds("aws#{}#{}".format, st.text(), st.sampled_from(("dev", "prod", "gov", "x"))),
            st.builds("{}.{}".format, st.sampled_from(("dev", "PROD", "gov")), st.text()),
        ),
        max_size=5,
    ),
)
def test_no_group_name_can_reach_outside_the_registered_and_allowed_accounts(
    pattern: str, allowed: tuple[str, ...], names: list[str]
) -> None:
    rule = RoleRule("pattern", group_pattern=pattern, accounts=allowed)
    who = Person("local", "1", "ann", "Ann", groups=tuple(map(Group, names)))
    registered = ACCOUNTS[:2]
    numbers = {NUMBERS.get(name, name) for name in allowed} or {each.number for each in registered}
    for grant in evaluate(RuleSet([rule], registered), who).grants:
        assert grant.role.account in numbers
        assert RoleArn.parse(str(grant.role)) == grant.role
        assert grant.provider.account == grant.role.account


@settings(max_examples=200, deadline=None)
@given(RULE_LISTS)
def test_exported_rules_read_back_as_the_same_rules(given_rules: tuple[RoleRule, ...]) -> None:
    text = format_rules(given_rules)
    read = parse_rules(text.encode(), Accounts(ACCOUNTS))
    assert read == given_rules
    assert format_rules(read) == text


@settings(max_examples=200, deadline=None)
@given(RULE_LISTS, PEOPLE)
def test_the_explanation_and_the_grants_tell_the_same(
    given_rules: tuple[RoleRule, ...], who: Person
) -> None:
    ruleset = RuleSet(given_rules, ACCOUNTS)
    found = evaluate(ruleset, who)
    outcomes = explain(ruleset, who)
    assert [outcome.rule for outcome in outcomes] == [rule.name for rule in given_rules]
    told = {
        fate: {
            (role.role, outcome.rule)
            for outcome in outcomes
            for role in outcome.roles
            if role.fate == fate
        }
        for fate in ("given", "withheld")
    }
    assert told["given"] == {(grant.role, grant.rule) for grant in found.grants}
    assert told["withheld"] == {(problem.role, problem.rule) for problem in found.problems}
