"""The dry run: the very response that a user would get, judged and thrown away."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from idp.aws.encryption_state import EncryptionState
from idp.db.models import AuditEventRow, ClaimedNameRow, NameIdRow, PersonRow
from idp.entitlements.encryption import save_encryption
from idp.entitlements.rule import RoleRule
from idp.entitlements.store import apply_rules, save_account
from idp.saml.encryption import EncryptionKey
from tests.company import ACCOUNTS, Company, posted_form
from tests.making import memory_key
from tests.preflight.command import Command, Done

ADMIN = "arn:aws:iam::111122223333:role/Administrator"
PROD_ADMIN = "arn:aws:iam::222233334444:role/Administrator"
DEVELOPER = "arn:aws:iam::111122223333:role/Developer"


@pytest.fixture
def preflight(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command beside the company, with its settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDP_DATABASE__URL", company.settings.database.url)
    monkeypatch.setenv("IDP_DATA_FOLDER", str(company.settings.data_folder))
    monkeypatch.setenv("IDP_KEYS__FOLDER", str(company.settings.keys.folder))
    monkeypatch.setenv("IDP_DATA_FOLDER", str(company.settings.data_folder))
    return Command(tmp_path)


def events(company: Company) -> list[tuple[str, dict[str, Any]]]:
    with company.parts.database.reading() as session:
        rows = session.execute(
            select(AuditEventRow.type, AuditEventRow.detail).order_by(AuditEventRow.seq)
        )
        return [(kind, json.loads(detail)) for kind, detail in rows]


def trust_policy(provider: str, *actions: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Federated": provider},
                "Action": actions,
                "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
            },
        }
    )


def run(preflight: Command, user: str, role: str, *words: str) -> Done:
    return preflight("--user", user, "--role", role, *words, "--json")


def test_judges_what_the_user_would_get_and_names_the_rule(preflight: Command) -> None:
    done = run(preflight, "ann", ADMIN)
    assert (done.broken, done.code) == ([], 0)
    document = done.document
    assert (document["rule"], document["user"], document["role"]) == ("platform", "ann", ADMIN)
    assert document["read_as"] == "a dry run"
    assert document["held_against"] == "our own metadata"
    told = preflight("--user", "ann", "--role", ADMIN).out
    assert "platform gives ann the role in dev" in told


def test_the_trust_policy_must_allow_the_tags_that_the_rule_sends(preflight: Command) -> None:
    provider = "arn:aws:iam::111122223333:saml-provider/ExampleIdP"
    narrow = preflight.file("narrow.json", trust_policy(provider, "sts:AssumeRoleWithSAML"))
    wide = preflight.file(
        "wide.json", trust_policy(provider, "sts:AssumeRoleWithSAML", "sts:TagSession")
    )
    assert run(preflight, "ann", ADMIN, "--trust-policy", narrow).broken == ["trust-policy-tags"]
    assert run(preflight, "ann", ADMIN, "--trust-policy", wide).broken == []
    assert run(preflight, "bob", DEVELOPER, "--trust-policy", narrow).broken == []


def test_a_role_that_is_not_granted_is_explained(preflight: Command) -> None:
    done = preflight("--user", "bob", "--role", ADMIN)
    assert done.code == 1
    assert "no rule gives that role to this user" in done.out
    assert "Gets 1 role" in done.out
    assert "wants" in done.out
    document = run(preflight, "cleo", ADMIN).document
    assert document["outcome"] == "not_sent"
    assert document["explanation"]["grants"] == []


def test_a_session_name_that_we_would_not_send_is_told(
    preflight: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDP_AWS__ROLE_SESSION_NAME", "{display_name} of Corp")
    done = preflight("--user", "ann", "--role", ADMIN)
    assert done.code == 1
    assert "would not be sent" in done.out
    assert "aws.role_session_name" in done.out


def test_it_leaves_nothing_but_its_own_line_in_the_audit_trail(
    company: Company, preflight: Command
) -> None:
    before = events(company)
    run(preflight, "ann", ADMIN)
    run(preflight, "bob", ADMIN)
    added = events(company)[len(before) :]
    assert [kind for kind, _ in added] == ["preflight.dry_run"] * 2
    assert [detail["subject"] for _, detail in added] == ["local/ann", "local/bob"]
    assert added[0][1]["changes"] == {"role": ADMIN, "outcome": "taken"}
    assert added[1][1]["changes"] == {"role": ADMIN, "outcome": "not made: RoleNotGranted"}
    with company.parts.database.reading() as session:
        for table in (PersonRow, NameIdRow, ClaimedNameRow):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_the_name_id_is_the_one_of_the_sign_in_once_there_was_one(
    company: Company, preflight: Command
) -> None:
    form = posted_form(company.signed_in("ann").open_role(ADMIN))
    given = preflight("--response", "-", "--json", stdin=form["SAMLResponse"]).document
    tried = run(preflight, "ann", ADMIN).document

    def name_id(document: dict[str, Any]) -> str:
        (check,) = (each for each in document["checks"] if each["rule"] == "name-id")
        return str(check["seen"])

    assert name_id(given) == name_id(tried)


def test_our_own_response_is_held_against_what_we_publish(
    company: Company, preflight: Command
) -> None:
    form = posted_form(company.signed_in("ann").open_role(ADMIN))
    done = preflight("--response", "-", "--json", stdin=form["SAMLResponse"])
    assert (done.broken, done.code) == ([], 0)
    assert done.document["held_against"] == "our own metadata"


def test_a_provider_that_is_not_the_registered_one_does_not_exist(
    company: Company, preflight: Command
) -> None:
    form = posted_form(company.signed_in("ann").open_role(ADMIN))
    with company.parts.database.writing() as session:
        save_account(session, replace(ACCOUNTS[0], provider_name="OtherIdP"))
    done = preflight("--response", "-", "--json", stdin=form["SAMLResponse"])
    assert (done.broken, done.code) == (["provider"], 1)
    assert "Specified provider doesn't exist" in done.document["summary"]


def test_a_user_who_is_not_there_is_bad_input(preflight: Command) -> None:
    assert run(preflight, "nobody", ADMIN).code == 2


def test_supposes_a_factor_and_an_address_for_rules_that_ask(
    company: Company, preflight: Command
) -> None:
    reader = "arn:aws:iam::111122223333:role/ReadOnly"
    rule = RoleRule(
        "office",
        users=("cleo",),
        factors=("password",),
        networks=("10.0.0.0/8",),
        roles=("ReadOnly",),
        accounts=("dev",),
    )
    with company.parts.database.writing() as session:
        apply_rules(session, [rule])
    blind = preflight("--user", "cleo", "--role", reader)
    assert blind.code == 1
    assert "would need one of them; try --factor password" in blind.out
    known = ("--factor", "password", "--from-address", "10.0.0.1")
    assert run(preflight, "cleo", reader, *known).document["rule"] == "office"


def test_an_encrypted_one_is_judged_in_full_with_a_key_made_for_it(
    company: Company, preflight: Command
) -> None:
    with company.parts.database.writing() as session:
        key = EncryptionKey.of(memory_key(number=40).private.public_key())
        state = EncryptionState("SAMLSP4SHN3UIS2D558H46", key, "SAMLPK")
        save_encryption(session, "222233334444", state, datetime.now(UTC))
    done = run(preflight, "ann", PROD_ADMIN)
    assert (done.broken, done.code) == ([], 0)
    assert done.document["read_as"] == "a dry run, encrypted to a key made for it"
    seen = {each["rule"]: each for each in done.document["checks"]}
    assert seen["encryption"]["passed"] is seen["decryption"]["passed"] is True
    assert seen["encryption"]["seen"] == "an EncryptedAssertion"
    elsewhere = run(
        preflight, "ann", PROD_ADMIN, "--endpoint", "https://signin.aws.amazon.com/saml"
    )
    assert "recipient" in elsewhere.broken
