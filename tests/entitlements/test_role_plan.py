"""What changes between two versions of the rules, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from idp.directory.person import Group, Person
from idp.entitlements.account import Account, Accounts
from idp.entitlements.difference import FieldChange, difference
from idp.entitlements.facts import Circumstances
from idp.entitlements.plan import Plan, make_plan, recorded_changes
from idp.entitlements.plan_words import plan_document, plan_lines, printable
from idp.entitlements.rule import RoleRule
from idp.entitlements.session_names import NamesInAws
from tests.bench.role_plan import measure

ACCOUNTS = Accounts([Account("111122223333", "dev", "aws", "ExampleIdP")])


def rule(name: str, **given: Any) -> RoleRule:
    return RoleRule(name, **{"roles": (name.title(),), "accounts": ("dev",), **given})


def person(username: str, *groups: str, **attributes: str) -> Person:
    held = {name: (value,) for name, value in attributes.items()}
    return Person("local", f"id of {username}", username, "", None, tuple(map(Group, groups)), held)


def plan(
    before: list[RoleRule],
    after: list[RoleRule],
    *people: Person,
    names: str = "{username}",
    keep: int | None = None,
    **given: Any,
) -> Plan:
    return make_plan(before, after, ACCOUNTS, people, NamesInAws.of(names), keep, **given)


def last_line(made: Plan) -> str:
    return list(plan_lines(made))[-1]


def test_tells_added_changed_removed_and_unchanged_rules() -> None:
    before = [rule("same", users=("a",)), rule("other", users=("a",)), rule("gone", users=("a",))]
    after = [before[0], rule("other", users=("a", "b"), duration=900), rule("new", everyone=True)]
    found = difference(before, after)
    assert [each.name for each in found.added] == ["new"]
    assert [each.name for each in found.removed] == ["gone"]
    assert found.unchanged == 1
    assert found.changed[0].name == "other"
    assert found.changed[0].fields == (
        FieldChange("users", ["a"], ["a", "b"]),
        FieldChange("duration", None, "15m"),
    )
    assert not found.reordered
    assert not found.empty


def test_another_order_is_a_change_because_the_first_rule_decides() -> None:
    rules = [rule("one", everyone=True), rule("two", everyone=True)]
    assert difference(rules, rules).empty
    assert difference(rules, rules[::-1]).reordered


def test_names_who_gains_and_loses_which_role() -> None:
    made = plan(
        [rule("old", groups=("ops",)), rule("kept", everyone=True)],
        [rule("new", groups=("dev",)), rule("kept", everyone=True)],
        person("ann", "ops"),
        person("bob", "dev"),
        person("cy", "ops", "dev"),
        person("dan"),
    )
    found = {
        each.username: ([r.name for r in each.gained], [r.name for r in each.lost])
        for each in made.people
    }
    assert found == {"ann": ([], ["Old"]), "bob": (["New"], []), "cy": (["New"], ["Old"])}
    assert last_line(made) == (
        "Plan: 1 rule to add, 0 to change, 1 to remove; 2 people gain a role, 2 lose one."
    )


def test_the_last_line_counts_as_people_speak() -> None:
    rules = [rule("one", users=("ann",)), rule("two", users=("ann",))]
    assert last_line(plan([], rules, person("ann"), person("bob"))) == (
        "Plan: 2 rules to add, 0 to change, 0 to remove; 1 person gains a role, none lose one."
    )
    assert last_line(plan(rules, [], person("ann"))) == (
        "Plan: 0 rules to add, 0 to change, 2 to remove; 0 people gain a role, one loses one."
    )
    assert last_line(plan(rules, rules, person("ann"))) == "Plan: no changes."


def test_a_role_kept_with_other_tags_or_duration_is_told_apart() -> None:
    made = plan([rule("r", everyone=True)], [rule("r", everyone=True, duration=900)], person("ann"))
    assert [role.name for role in made.people[0].altered] == ["R"]
    assert (made.totals.gaining, made.totals.losing, made.totals.altered) == (0, 0, 1)


def test_reports_values_that_aws_would_refuse_and_the_role_is_lost() -> None:
    made = plan(
        [rule("r", everyone=True)],
        [rule("r", everyone=True, tags={"D": "{department}"})],
        person("ann", department="a<b"),
        person("bob", department="fine"),
        person("cy"),
    )
    lines = "\n".join(plan_lines(made))
    assert "AWS would refuse" in lines
    assert "'a<b'" in lines
    assert "cy has no attribute department" in lines
    assert made.totals.withheld == 2
    assert made.totals.losing == 2


def test_what_is_wrong_is_told_however_many_others_gain_a_role() -> None:
    many = [person(f"p{number}", department="fine") for number in range(100)]
    last = [person("x", department="a<b"), person("y", department="c<d")]
    made = plan([], [rule("r", everyone=True, tags={"D": "{department}"})], *many, *last, keep=10)
    lines = list(plan_lines(made))
    assert any("x: arn:" in line and "'a<b'" in line for line in lines)
    assert "90 more people are concerned (--all names everyone)." in lines
    assert lines[-1].endswith(
        "2 people have something that AWS would refuse, or could not tell apart."
    )


def test_reports_two_people_who_would_share_a_role_session_name() -> None:
    rules = [rule("r", groups=("ops",))]
    made = plan(
        rules,
        rules,
        person("ann", "ops", short="x1"),
        person("bob", "ops", short="X1"),
        person("cy", short="x1"),
        names="{short}",
    )
    (bob,) = made.people
    assert bob.username == "bob"
    assert bob.session_name == "RoleSessionName 'X1' would be the same as that of ann."


def test_reports_role_session_names_that_aws_would_refuse() -> None:
    rules = [rule("r", everyone=True)]
    made = plan(rules, rules, person("ann lee"), person("x"), person("cy"))
    assert [each.username for each in made.people] == ["ann lee", "x"]


def test_counts_everyone_and_keeps_the_first_ones_only() -> None:
    read = 0

    def people() -> Iterator[Person]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield person(f"user-{number}")

    rules = [rule("r", everyone=True)]
    made = make_plan([], rules, ACCOUNTS, people(), NamesInAws.of("{username}"), keep=3)
    assert read == 1000
    assert len(made.people) == 3
    assert made.totals.gaining == 1000
    assert any("997 more people" in line for line in plan_lines(made))


def test_the_plan_as_json_says_the_same() -> None:
    document = plan_document(
        plan([rule("gone", users=("ann",))], [rule("new", users=("ann",))], person("ann"))
    )
    assert document["rules"]["remove"] == ["gone"]
    assert document["rules"]["add"][0]["role"] == "New"
    assert document["people"][0]["gained"] == ["arn:aws:iam::111122223333:role/New"]
    assert document["people"][0]["lost"] == ["arn:aws:iam::111122223333:role/Gone"]
    assert document["totals"]["gain_a_role"] == 1


def test_what_the_audit_trail_keeps_stays_small() -> None:
    many = [rule(f"r{number}", everyone=True) for number in range(500)]
    kept = recorded_changes(plan([], many))
    assert len(kept["added"]) == 101
    assert kept["added"][-1] == "and 400 more"
    assert len(kept["sha256"]) == 64


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert printable("a\x1b[31m\u202eb") == "a\\x1b[31m\\u202eb"


def test_two_people_of_one_name_in_two_directories_are_two() -> None:
    rules = [rule("r", everyone=True)]
    local = person("ann")
    other = Person("corp", "7", "ANN", "Ann")
    (told,) = plan(rules, rules, local, other).people
    assert (told.directory, told.session_name) == (
        "corp",
        "RoleSessionName 'ANN' would be the same as that of ann.",
    )


def test_reports_a_name_that_another_person_holds_already() -> None:
    rules = [rule("r", everyone=True, role_session_name="{short}")]
    held = {"x1": (("local", "id of eve"), "local/eve"), "x2": (("local", "id of bob"), "b")}
    names = NamesInAws.of("{username}", held_session_names=held)
    people = [person("ann", short="X1"), person("bob", short="x2")]
    made = make_plan(rules, rules, ACCOUNTS, people, names)
    (ann,) = made.people
    assert ann.session_name == "RoleSessionName 'X1' belongs to local/eve already."


def test_reports_source_identities_as_it_does_session_names() -> None:
    rules = [rule("r", everyone=True)]
    people = [person("ann", e="7"), person("bob", e="e-7"), person("cy", e="E-7"), person("dan")]
    made = make_plan(rules, rules, ACCOUNTS, people, NamesInAws.of("{username}", "{e}"))
    found = {each.username: each.source_identity for each in made.people}
    assert "'7' is not 2 to 64" in found["ann"]
    assert found["cy"] == "SourceIdentity 'E-7' would be the same as that of bob."
    assert "dan has no attribute e" in found["dan"]
    assert made.totals.source_identities == 3
    assert "cy: SourceIdentity 'E-7'" in "\n".join(plan_lines(made))


def test_reports_values_of_a_role_attribute_that_give_nothing() -> None:
    made = plan([], [RoleRule("r", role_attribute="awsrole")], person("ann", awsrole="Admin"))
    assert "'Admin' is not the ARN of an IAM role" in "\n".join(plan_lines(made))
    assert plan_document(made)["totals"]["have_unusable_values"] == 1


def test_says_that_a_plan_knows_no_sign_in_and_takes_what_it_is_told() -> None:
    rules = [rule("r", everyone=True, networks=("10.0.0.0/8",), factors=("kerberos",))]
    blind = plan([], rules, person("ann"))
    assert blind.totals.gaining == 0
    assert len(blind.advice) == 2
    assert "Give --from-address" in "\n".join(plan_lines(blind))
    told = Circumstances(frozenset(["kerberos"]), "10.1.2.3")
    seeing = plan([], rules, person("ann"), circumstances=told)
    assert (seeing.totals.gaining, seeing.advice) == (1, ())


def test_says_which_rules_tell_groups_by_their_names_alone() -> None:
    rules = [
        rule("loose", groups=("admins",), directory="corp"),
        rule("held", groups=("admins",), directory="corp", group_base=("DC=corp",)),
        rule("ours", groups=("admins",), directory="local"),
    ]
    (advice,) = plan([], rules, directories={"corp": "ldap", "local": "local"}).advice
    assert advice.startswith("Rule loose: groups are told by their names alone")


def test_what_no_changed_rule_concerns_is_told_from_what_one_does() -> None:
    """People of unchanged rules are worked out once; a change of order concerns them all."""
    one, two = rule("one", groups=("a",)), rule("two", groups=("a",), roles=("One",))
    kept = rule("kept", groups=("b",))
    made = plan([one, two, kept], [two, one, kept], person("ann", "a"), person("bob", "b"))
    assert [each.username for each in made.people] == ["ann"]
    assert [role.name for role in made.people[0].altered] == ["One"]


def test_many_rules_against_many_people_take_no_time(tmp_path: Path) -> None:
    """What is measured at 10,000 rules and 100,000 people (tests.bench.role_plan), made small."""
    taken = measure(2_000, 1_000, tmp_path)
    assert taken.totals.people == 1_000
    assert taken.totals.gaining
    # 100,000 people in under 60 s are 0.6 ms each; a busy machine may be six times as slow.
    assert taken.planning < 10
