"""idp aws account: add, list, remove."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import select

from idp.aws.arn import BadArn
from idp.cli.aws import AccountRefused
from idp.db.engine import Database
from idp.db.models import AuditEventRow
from idp.entitlements.account import BadAccount

Command = Callable[..., Result]
NUMBER = "111122223333"


def listed(command: Command) -> list[dict[str, Any]]:
    accounts: list[dict[str, Any]] = json.loads(command("aws", "account", "list", "--json").stdout)
    return accounts


def add(command: Command, *more: str, number: str = NUMBER, alias: str = "dev") -> Result:
    return command("aws", "account", "add", number, "--alias", alias, *more)


def test_registers_an_account_with_everything_that_is_said_of_it(command: Command) -> None:
    role = f"arn:aws-cn:iam::{NUMBER}:role/Reader"
    result = add(
        command,
        *("--partition", "aws-cn", "--provider", "Our.IdP-1", "--provider-id", "SAMLSPX1"),
        *("--access-role", role),
    )
    assert result.exit_code == 0
    assert listed(command) == [
        {
            "number": NUMBER,
            "alias": "dev",
            "partition": "aws-cn",
            "provider_name": "Our.IdP-1",
            "provider_id": "SAMLSPX1",
            "profile": None,
            "access_role": role,
            "probe_role": None,
            "provider_arn": f"arn:aws-cn:iam::{NUMBER}:saml-provider/Our.IdP-1",
        }
    ]


def test_lists_accounts_by_alias_for_people(command: Command) -> None:
    assert "No account is registered" in command("aws", "account", "list").stdout
    add(command, "--profile", "dev-admin")
    add(command, number="222233334444", alias="beta")
    lines = command("aws", "account", "list").stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["beta", "222233334444"], ["dev", NUMBER]]
    assert "profile dev-admin" in lines[1]


def test_adding_the_same_twice_changes_nothing(command: Command, sqlite: Database) -> None:
    add(command)
    result = add(command)
    assert result.exit_code == 0
    assert "nothing to do" in result.stdout
    with sqlite.reading() as session:
        assert len(session.scalars(select(AuditEventRow)).all()) == 1


def test_other_values_need_update(command: Command) -> None:
    add(command)
    refused = add(command, "--provider", "Other")
    assert isinstance(refused.exception, AccountRefused)
    assert "provider_name ExampleIdP → Other" in refused.exception.message
    assert "--update" in refused.exception.advice
    assert add(command, "--provider", "Other", "--update").exit_code == 0
    assert listed(command)[0]["provider_name"] == "Other"


def test_an_alias_belongs_to_one_account(command: Command) -> None:
    add(command)
    refused = add(command, "--update", number="222233334444")
    assert isinstance(refused.exception, AccountRefused)
    assert NUMBER in refused.exception.message


@pytest.mark.parametrize(
    ("number", "alias", "more"),
    [
        ("11112222333", "dev", ()),
        ("1111-2222-3333", "dev", ()),
        ("١١١١٢٢٢٢٣٣٣٣", "dev", ()),
        ("arn:aws:iam::111122223333:root", "dev", ()),
        (NUMBER, "Dev", ()),
        (NUMBER, "", ()),
        (NUMBER, "-dev", ()),
        (NUMBER, "x" * 64, ()),
        (NUMBER, "222233334444", ()),
        (NUMBER, "de\x00v", ()),
        (NUMBER, "de\nv", ()),
        (NUMBER, "dév", ()),
        (NUMBER, "dev", ("--provider", "a b")),
        (NUMBER, "dev", ("--provider", "")),
        (NUMBER, "dev", ("--provider", "x" * 129)),
        (NUMBER, "dev", ("--provider-id", "SAMLSPabc")),
        (NUMBER, "dev", ("--provider-id", "../acs")),
        (NUMBER, "dev", ("--profile", "a\x1bb")),
        (NUMBER, "dev", ("--profile", "")),
        (NUMBER, "dev", ("--access-role", "Admin")),
        (NUMBER, "dev", ("--access-role", "arn:aws:iam::222233334444:role/Admin")),
        (NUMBER, "dev", ("--access-role", "arn:aws-cn:iam::111122223333:role/Admin")),
        (NUMBER, "dev", ("--profile", "p", "--access-role", f"arn:aws:iam::{NUMBER}:role/A")),
    ],
)
def test_refuses_what_aws_does_not_know(
    command: Command, number: str, alias: str, more: tuple[str, ...]
) -> None:
    result = add(command, *more, number=number, alias=alias)
    assert isinstance(result.exception, BadAccount | BadArn)
    assert result.exception.message
    assert listed(command) == []


def test_refuses_an_unknown_partition_as_a_wrong_option(command: Command) -> None:
    assert add(command, "--partition", "aws-moon").exit_code == 2


RULES = """
[[rule]]
name = "by-alias"
everyone = true
role = "A"
accounts = ["dev"]
[[rule]]
name = "by-number"
everyone = true
role = "A"
accounts = ["111122223333"]
[[rule]]
name = "by-arn"
everyone = true
role = "arn:aws:iam::111122223333:role/A"
[[rule]]
name = "elsewhere"
everyone = true
role = "A"
accounts = ["prod"]
"""


@pytest.fixture
def named(command: Command, tmp_path: Path) -> None:
    add(command)
    add(command, number="222233334444", alias="prod")
    (tmp_path / "roles.toml").write_text(RULES)
    assert command("roles", "apply", str(tmp_path / "roles.toml"), "--yes").exit_code == 0


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("name", ["dev", NUMBER])
def test_an_account_that_rules_name_stays_unless_forced(command: Command, name: str) -> None:
    refused = command("aws", "account", "remove", name)
    assert isinstance(refused.exception, AccountRefused)
    assert "the rules by-alias, by-number, by-arn" in refused.exception.message
    assert len(listed(command)) == 2
    forced = command("aws", "account", "remove", name, "--force")
    assert forced.exit_code == 0
    assert "by-arn" in forced.stderr
    assert [account["alias"] for account in listed(command)] == ["prod"]


@pytest.mark.usefixtures("named")
def test_the_alias_that_rules_name_can_not_be_moved_under_them(command: Command) -> None:
    refused = add(command, "--update", alias="renamed")
    assert isinstance(refused.exception, AccountRefused)
    assert "by-alias" in refused.exception.message
    assert add(command, "--update", "--provider", "Other").exit_code == 0


def test_removes_an_account_that_no_rule_names(command: Command) -> None:
    add(command)
    assert command("aws", "account", "remove", "dev").exit_code == 0
    assert listed(command) == []
    assert isinstance(command("aws", "account", "remove", "dev").exception, AccountRefused)


def test_every_change_is_in_the_audit_trail(command: Command, sqlite: Database) -> None:
    add(command)
    add(command, "--provider", "Other", "--update")
    command("aws", "account", "remove", "dev")
    with sqlite.reading() as session:
        rows = session.scalars(select(AuditEventRow).order_by(AuditEventRow.seq)).all()
    details = [json.loads(row.detail) for row in rows]
    assert [row.type for row in rows] == ["account.added", "account.changed", "account.removed"]
    assert all(detail["subject"] == NUMBER for detail in details)
