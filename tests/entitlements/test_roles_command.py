"""idp roles: plan, apply, export, list, explain, who."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import select

from idp.cli.circumstances import BadAddress
from idp.cli.roles_people import BadPeopleFile
from idp.db.engine import Database
from idp.db.models import AuditEventRow
from idp.directory.local import LocalDirectory, NoSuchUser
from idp.directory.person import Group, Person
from idp.directory.person_json import person_to_json
from idp.entitlements.rules_file import RulesFileRefused
from idp.entitlements.store import ChangedMeanwhile, apply_rules, stored_rules
from idp.errors import IdpError
from idp.signin.people import find_or_add_person
from idp.sso.claimed_names import hold

Command = Callable[..., Result]
DEVELOPER = "arn:aws:iam::111122223333:role/Developer"
RULES = """
[[rule]]
name = "developers"
groups = ["developers"]
role = "Developer"
accounts = ["dev"]
tags = { Department = "{department}" }

[[rule]]
name = "no-ops"
effect = "deny"
groups = ["ops"]
role = "Developer"
accounts = ["dev"]
"""

pytestmark = pytest.mark.usefixtures("people")


@pytest.fixture
def file(command: Command, tmp_path: Path) -> Path:
    """A rules file, and the account that it names."""
    assert command("aws", "account", "add", "111122223333", "--alias", "dev").exit_code == 0
    path = tmp_path / "roles.toml"
    path.write_text(RULES)
    return path


@pytest.fixture
def applied(command: Command, file: Path) -> Path:
    """The same, applied."""
    assert command("roles", "apply", str(file), "--yes").exit_code == 0
    return file


def rule_names(database: Database) -> list[str]:
    with database.reading() as session:
        return [rule.name for rule in stored_rules(session)]


def test_plan_shows_rules_and_people_and_changes_nothing(
    command: Command, file: Path, sqlite: Database
) -> None:
    result = command("roles", "plan", str(file))
    assert result.exit_code == 0
    for part in ("  + developers", 'groups = ["developers"]', f"  ann\n      + {DEVELOPER}"):
        assert part in result.stdout
    assert "  bob\n" not in result.stdout
    assert result.stdout.splitlines()[-1] == (
        "Plan: 2 rules to add, 0 to change, 0 to remove; 1 person gains a role, none lose one."
    )
    assert rule_names(sqlite) == []


def test_plan_shows_each_changed_field_before_and_after(command: Command, applied: Path) -> None:
    applied.write_text(RULES.replace('["developers"]', '["developers", "staff"]'))
    result = command("roles", "plan", str(applied))
    assert '  ~ developers\n      groups: ["developers"] → ["developers", "staff"]' in result.stdout
    assert "1 rule unchanged" in result.stdout


def test_plan_can_tell_changes_by_its_exit_code(command: Command, file: Path) -> None:
    assert command("roles", "plan", str(file), "--exit-code").exit_code == 1
    assert command("roles", "apply", str(file), "--yes").exit_code == 0
    unchanged = command("roles", "plan", str(file), "--exit-code")
    assert unchanged.exit_code == 0
    assert "Plan: no changes." in unchanged.stdout


def test_plan_as_json(command: Command, file: Path) -> None:
    result = command("roles", "plan", str(file), "--json", "--exit-code")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert [rule["name"] for rule in document["rules"]["add"]] == ["developers", "no-ops"]
    assert document["people"] == [
        {
            "username": "ann",
            "directory": "local",
            "gained": [DEVELOPER],
            "lost": [],
            "changed": [],
            "problems": [],
            "session_name": None,
            "source_identity": None,
            "unusable": [],
        }
    ]
    assert document["totals"]["people"] == 3


def test_plan_reports_a_value_that_aws_would_refuse(
    command: Command, file: Path, people: LocalDirectory
) -> None:
    people.update("ann", attributes={"department": ["R&D"]})
    result = command("roles", "plan", str(file))
    assert "AWS would refuse" in result.stdout
    assert "'R&D'" in result.stdout
    assert "0 people gain a role" in result.stdout


def test_apply_asks_first_and_no_means_no(command: Command, file: Path, sqlite: Database) -> None:
    declined = command("roles", "apply", str(file), input="n\n")
    assert declined.exit_code == 1
    assert "Nothing was changed." in declined.stdout
    assert rule_names(sqlite) == []
    assert command("roles", "apply", str(file), input="y\n").exit_code == 0
    assert rule_names(sqlite) == ["developers", "no-ops"]


def test_apply_without_an_answer_changes_nothing(
    command: Command, file: Path, sqlite: Database
) -> None:
    assert command("roles", "apply", str(file)).exit_code == 1
    assert rule_names(sqlite) == []


def test_apply_is_recorded_in_the_audit_trail(
    command: Command, applied: Path, sqlite: Database
) -> None:
    assert command("roles", "apply", str(applied), "--yes").exit_code == 0
    with sqlite.reading() as session:
        rows = session.scalars(select(AuditEventRow)).all()
    (detail,) = (json.loads(row.detail) for row in rows if row.type == "roles.applied")
    assert detail["changes"]["added"] == ["developers", "no-ops"]
    assert detail["changes"]["people_gaining"] == 1


def test_apply_takes_all_rules_or_none(command: Command, applied: Path, sqlite: Database) -> None:
    applied.write_text(RULES + "[[rule]]\nname = 'bad'\nusers = ['x']\nrole = 'A'\n")
    refused = command("roles", "apply", str(applied), "--yes")
    assert isinstance(refused.exception, RulesFileRefused)
    assert "rule 'bad', accounts, line 15" in refused.exception.message
    assert rule_names(sqlite) == ["developers", "no-ops"]


def test_apply_removes_rules_that_the_file_does_not_have(
    command: Command, applied: Path, sqlite: Database
) -> None:
    applied.write_text("")
    result = command("roles", "apply", str(applied), "--yes")
    assert "  - developers" in result.stdout
    assert "one loses one." in result.stdout
    assert rule_names(sqlite) == []


def test_apply_from_standard_input_needs_yes(command: Command, file: Path) -> None:
    assert command("roles", "apply", "-", input=RULES).exit_code == 2
    assert command("roles", "apply", "-", "--yes", input=RULES).exit_code == 0


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"name = '\x00'",
        b"[[rule]]\nname = '\x1b[31m'",
        b"x" * 10_000_000,
        b"a = " + b"[" * 50_000,
        b"rule = 'text'",
        b"[[rule]]\nname = 1\n",
        b"%PDF-1.7",
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(
    command: Command, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    for verb in ("plan", "apply"):
        refused = command("roles", verb, str(path))
        assert isinstance(refused.exception, RulesFileRefused)
        assert len(refused.exception.message) < 1000


def test_a_missing_file_or_a_folder_is_a_wrong_argument(command: Command, tmp_path: Path) -> None:
    assert command("roles", "plan", str(tmp_path / "none.toml")).exit_code == 2
    assert command("roles", "plan", str(tmp_path)).exit_code == 2


def test_export_writes_what_apply_reads(command: Command, applied: Path, tmp_path: Path) -> None:
    exported = command("roles", "export").stdout
    copy = tmp_path / "copy.toml"
    assert command("roles", "export", str(copy)).exit_code == 0
    assert copy.read_text() == exported
    assert command("roles", "plan", str(copy), "--exit-code").exit_code == 0


def test_export_overwrites_only_when_told_to(command: Command, applied: Path) -> None:
    assert isinstance(command("roles", "export", str(applied)).exception, IdpError)
    assert applied.read_text() == RULES
    assert command("roles", "export", str(applied), "--force").exit_code == 0
    assert applied.read_text() != RULES


@pytest.mark.usefixtures("applied")
def test_lists_rules_in_their_order(command: Command) -> None:
    rows = [line.split("\t") for line in command("roles", "list").stdout.splitlines()]
    assert rows == [
        ["developers", "directory local, groups developers", "Developer in dev", "1h"],
        ["no-ops", "groups ops", "deny Developer in dev", ""],
    ]
    documents = json.loads(command("roles", "list", "--json").stdout)
    assert [document["name"] for document in documents] == ["developers", "no-ops"]


@pytest.mark.usefixtures("applied")
def test_explains_a_grant_a_denial_and_a_near_miss(
    command: Command, people: LocalDirectory
) -> None:
    assert "by rule developers" in command("roles", "explain", "ANN").stdout
    assert "rule no-ops denies it" in command("roles", "explain", "bob").stdout
    people.set_groups("cy", ["developer"])
    near = command("roles", "explain", "cy").stdout
    assert "Gets no role." in near
    assert "group developer looks like developers" in near
    assert "no-ops" not in near
    assert "no-ops" in command("roles", "explain", "cy", "--all").stdout


@pytest.mark.usefixtures("applied")
def test_explains_as_json(command: Command) -> None:
    document = json.loads(command("roles", "explain", "ann", "--json").stdout)
    assert document["person"]["groups"] == ["developers"]
    assert document["grants"][0]["role"] == DEVELOPER
    assert document["grants"][0]["tags"] == {"Department": "Engineering"}
    assert [rule["matches"] for rule in document["rules"]] == [True, False]


@pytest.mark.parametrize("name", ["nobody", "", "a\x00b", "x" * 5000, "*", "ann)(uid=*"])
def test_explains_nobody_with_a_sentence(command: Command, name: str) -> None:
    refused = command("roles", "explain", name)
    assert isinstance(refused.exception, NoSuchUser)
    assert len(refused.exception.message) < 300


@pytest.mark.usefixtures("applied")
def test_names_who_gets_a_role_and_by_which_rule(command: Command) -> None:
    assert command("roles", "who", DEVELOPER).stdout == "ann (ann) by rule developers\n"
    assert json.loads(command("roles", "who", DEVELOPER, "--json").stdout) == [
        {"username": "ann", "display_name": "ann", "rule": "developers"}
    ]


@pytest.mark.usefixtures("applied")
def test_says_when_nobody_gets_a_role(command: Command) -> None:
    nobody = command("roles", "who", DEVELOPER.replace("Developer", "Admin"))
    assert nobody.exit_code == 0
    assert nobody.stdout == ""
    assert "Nobody" in nobody.stderr
    assert command("roles", "who", DEVELOPER + "x", "--json").stdout == "[]\n"


@pytest.mark.parametrize(
    "arn", ["", "Developer", "arn:aws:iam::999999999999:role/A", "arn:aws:iam::111122223333:user/a"]
)
def test_refuses_to_search_what_is_no_role_of_ours(command: Command, arn: str) -> None:
    assert isinstance(command("roles", "who", arn).exception, IdpError)


def test_a_disabled_person_counts_nowhere(
    command: Command, file: Path, people: LocalDirectory
) -> None:
    people.disable("ann", datetime(2026, 11, 23, tzinfo=UTC))
    assert "0 people gain a role" in command("roles", "plan", str(file)).stdout
    assert isinstance(command("roles", "explain", "ann").exception, NoSuchUser)


class AnswerAfterAnotherChange(BytesIO):
    """An administrator who says yes, but only after someone else has applied other rules."""

    def __init__(self, database: Database) -> None:
        super().__init__(b"y\n")
        self.database = database

    def read1(self, size: int | None = -1, /) -> bytes:
        with self.database.writing() as session:
            apply_rules(session, ())
        return super().read1(size)


def test_refuses_to_apply_a_plan_that_others_have_overtaken(
    command: Command, file: Path, sqlite: Database
) -> None:
    refused = command("roles", "apply", str(file), input=AnswerAfterAnotherChange(sqlite))
    assert isinstance(refused.exception, ChangedMeanwhile)
    assert rule_names(sqlite) == []


@pytest.mark.parametrize(
    "words",
    [
        *(("roles", verb) for verb in ("plan", "apply", "export", "list", "explain", "who")),
        *(("aws", "account", verb) for verb in ("add", "list", "remove")),
    ],
)
def test_help_shows_an_example(command: Command, words: tuple[str, ...]) -> None:
    assert f"    idp {' '.join(words)}" in command(*words, "--help").stdout


def corp_person(number: int, *groups: str, **attributes: str) -> Person:
    held = {name: (value,) for name, value in attributes.items()}
    return Person("local", str(number), f"user{number}", "U", None, tuple(map(Group, groups)), held)


@pytest.fixture
def people_file(tmp_path: Path) -> Path:
    """Two hundred people, one in ten a developer, as `idp directory sync` writes them."""
    path = tmp_path / "people.jsonl"
    everyone = (
        corp_person(number, *(["developers"] if number % 10 == 0 else []), department="R")
        for number in range(200)
    )
    lines = ({**person_to_json(each), "roles": []} for each in everyone)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_plan_looks_at_the_people_of_a_file(
    command: Command, file: Path, people_file: Path
) -> None:
    result = command("roles", "plan", str(file), "--people", str(people_file), "--json")
    totals = json.loads(result.stdout)["totals"]
    assert (totals["people"], totals["gain_a_role"]) == (200, 20)


def test_who_and_explain_look_at_the_people_of_a_file(
    command: Command, applied: Path, people_file: Path
) -> None:
    assert applied
    result = command("roles", "who", DEVELOPER, "--people", str(people_file))
    assert len(result.stdout.splitlines()) == 20
    told = command("roles", "explain", "USER10", "--people", str(people_file))
    assert f"Gets 1 role:\n  {DEVELOPER}" in told.stdout
    nobody = command("roles", "explain", "ann", "--people", str(people_file))
    assert isinstance(nobody.exception, NoSuchUser)


@pytest.mark.parametrize("line", ["{}", "no json", '{"directory": 1}', "[" * 100_000])
def test_a_line_that_is_no_person_is_named_and_nothing_is_applied(
    command: Command, file: Path, people_file: Path, sqlite: Database, line: str
) -> None:
    people_file.write_text(people_file.read_text() + line + "\n")
    result = command("roles", "apply", str(file), "--yes", "--people", str(people_file))
    assert isinstance(result.exception, BadPeopleFile)
    assert "Line 201" in result.exception.message
    assert rule_names(sqlite) == []


def test_plan_names_a_session_name_that_another_person_holds(
    command: Command, applied: Path, sqlite: Database
) -> None:
    with sqlite.writing() as session:
        now = datetime(2026, 11, 23, tzinfo=UTC)
        eve = find_or_add_person(session, Person("corp", "9", "eve", "Eve"), now)
        hold(session, "role_session_name", "ann", eve, now)
    result = command("roles", "plan", str(applied))
    assert "ann: RoleSessionName 'ann' belongs to corp/eve already." in result.stdout


def test_explain_supposes_a_factor_and_an_address(command: Command, file: Path) -> None:
    asked = 'role = "Developer"\nfactors = ["password"]\nnetworks = ["10.0.0.0/8"]'
    file.write_text(RULES.replace('role = "Developer"', asked, 1))
    assert command("roles", "apply", str(file), "--yes").exit_code == 0
    blind = command("roles", "explain", "ann").stdout
    assert "Gets no role." in blind
    assert "would need one of them; try --factor password" in blind
    seeing = command(
        "roles", "explain", "ann", "--factor", "password", "--from-address", "::ffff:10.0.0.1"
    )
    assert "Gets 1 role:" in seeing.stdout
    wrong = command("roles", "explain", "ann", "--from-address", "here")
    assert isinstance(wrong.exception, BadAddress)


def test_a_plan_names_attributes_that_no_directory_is_asked_for(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nobody would get a role by them, and nobody would say why."""
    corp = {"name": "corp", "base_dn": "dc=corp,dc=example"}
    servers = {"servers": ["ldap.corp.example"], "attributes": {"cost_center": "costCenter"}}
    reader = {"bind_dn": "idp@corp.example", "bind_password_env": "PASSWORD"}
    ad = {**corp, **servers, **reader, "kind": "active_directory", "name": "ad"}
    ldap = {**corp, **servers, "kind": "ldap"}
    monkeypatch.setenv("IDP_DIRECTORIES", json.dumps([ldap, ad, {"name": "local"}]))
    assert command("aws", "account", "add", "111122223333", "--alias", "dev").exit_code == 0
    common = 'accounts = ["dev"]\nusers = ["ann"]\n'
    (tmp_path / "roles.toml").write_text(
        f'[[rule]]\nname = "mapped"\ndirectory = "corp"\nrole = "A"\n{common}'
        'tags = { D = "{department}{mail}{username}", C = "{cost_center}", L = "{office}" }\n'
        '[[rule]]\nname = "by-attribute"\ndirectory = "ad"\nrole_attribute = "awsRole"\n'
        'tags = { D = "{office}", C = "{cost_center}" }\n'
        f'[[rule]]\nname = "own"\ndirectory = "local"\nrole = "A"\n{common}'
        'duration = "{anything|default:1h}"\n'
        '[[rule]]\nname = "deny"\neffect = "deny"\nrole = "A"\naccounts = ["dev"]\n'
        'attributes = { upn = ["x"] }\n'
    )
    (tmp_path / "people.jsonl").write_text("")
    result = command(
        *("roles", "plan", str(tmp_path / "roles.toml"), "--json"),
        *("--people", str(tmp_path / "people.jsonl")),
    )
    assert result.exit_code == 0, result.exception
    first, second, third = json.loads(result.stdout)["advice"]
    assert first.startswith("Rule mapped: nobody of corp has the attribute office")
    assert second.startswith("Rule by-attribute: nobody of ad has the attribute awsrole")
    assert 'attributes = { awsrole = "..." }' in second
    assert third.startswith("Rule deny: nobody of corp has the attribute upn")
