"""Grants of an account with encryption: encrypted, alone in their assertion, and on the record."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree
from sqlalchemy import event, select

from idp.aws.encryption_state import ChangedTrust, EncryptionState, Work
from idp.db.engine import Database
from idp.db.models import AuditEventRow
from idp.entitlements.account import Accounts
from idp.entitlements.encryption import save_encryption, stored_encryption
from idp.entitlements.rules_file import parse_rules
from idp.entitlements.store import apply_rules, delete_account, save_account
from idp.saml.encryption import EncryptionKey
from idp.sandbox.judge import judge_response, read_metadata
from idp.sandbox.judge.metadata import Provider
from idp.sso import handover
from tests import independent
from tests.company import ACCOUNTS, Company, attributes_of, make_company, posted_form
from tests.independent import SAML
from tests.making import memory_key

PROD = "222233334444"
SHARED = b"""
[[rule]]
name = "all"
groups = ["platform"]
role = "Administrator"
accounts = ["dev", "prod"]
duration = "1h"
"""
UUID = "SAMLSP4SHN3UIS2D558H46"
ADMIN = f"arn:aws:iam::{PROD}:role/Administrator"
DEV_ADMIN = "arn:aws:iam::111122223333:role/Administrator"
READER = memory_key(number=30)
TO = EncryptionKey.of(READER.private.public_key())


@pytest.fixture(params=["portal", "aws"])
def company(request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str) -> Iterator[Company]:
    aws: dict[str, object] = {"role_choice": request.param, "sign_response": True}
    made = make_company(tmp_path, sqlite_url, datetime.now(UTC), aws=aws)
    yield made
    made.parts.database.close()


def switch(database: Database, key: EncryptionKey | None) -> None:
    with database.writing() as session:
        state = EncryptionState(UUID, key, "SAMLPK0000000000000000000000" if key else "")
        save_encryption(session, PROD, state, datetime.now(UTC))


def trusted(company: Company, private: RSAPrivateKey) -> Provider:
    provider, _ = read_metadata(company.visitor().get("/metadata").text)
    assert provider is not None
    return Provider(provider.entity_id, provider.keys, "", True, UUID, (private,))


def test_the_very_next_sign_in_is_encrypted_and_then_plain_again(company: Company) -> None:
    ann = company.signed_in("ann")
    plain = posted_form(ann.open_role(ADMIN))["SAMLResponse"]
    # Another process does it, as the command would.
    elsewhere = Database(company.settings.database_url)
    switch(elsewhere, TO)
    form = posted_form(ann.open_role(ADMIN))
    xml = base64.b64decode(form["SAMLResponse"])
    independent.assert_valid_response(xml)
    assert independent.verify_with_xmlsec(xml, company.certificate) == 1
    assert etree.fromstring(xml).find(f"{SAML}Assertion") is None
    judgement = judge_response(
        form["SAMLResponse"],
        provider=trusted(company, READER.private),
        endpoints=(form["action"],),
        now=datetime.now(UTC),
    )
    assert judgement.refusals == ()
    assert form["action"].endswith(f"/saml/acs/{UUID}")
    switch(elsewhere, None)
    elsewhere.close()
    again = base64.b64decode(posted_form(ann.open_role(ADMIN))["SAMLResponse"])
    for each in (base64.b64decode(plain), again):
        assert etree.fromstring(each).find(f"{SAML}Assertion") is not None


def test_the_record_says_to_which_key(company: Company) -> None:
    ann = company.signed_in("ann")
    switch(company.parts.database, TO)
    ann.open_role(ADMIN)
    ann.open_role(DEV_ADMIN)
    with company.parts.database.reading() as session:
        rows = session.scalars(
            select(AuditEventRow.detail)
            .where(AuditEventRow.type == "assertion.issued")
            .order_by(AuditEventRow.seq)
        )
        said = [json.loads(row).get("encrypted_to") for row in rows]
    assert said == [TO.fingerprint, None]


def test_a_warm_sign_in_asks_the_database_no_more_than_before(company: Company) -> None:
    ann = company.signed_in("ann")
    database = company.parts.database

    def statements() -> list[str]:
        seen: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
            seen.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        ann.post("/aws", {"role": ADMIN, "csrf_token": token})
        event.remove(database.engine, "before_cursor_execute", note)
        return seen

    token = ann.form_token("/")
    for _ in range(2):
        ann.post("/aws", {"role": ADMIN, "csrf_token": token})
    plain = statements()
    switch(database, TO)
    ann.post("/aws", {"role": ADMIN, "csrf_token": token})
    assert statements() == plain


def test_its_roles_never_share_an_assertion_with_others(company: Company) -> None:
    with company.parts.database.writing() as session:
        apply_rules(session, parse_rules(SHARED, Accounts(ACCOUNTS)))
    ann = company.signed_in("ann")
    token = ann.form_token("/")
    wanted = {"partition": "aws", "csrf_token": token}

    def shared() -> list[str]:
        xml = base64.b64decode(posted_form(ann.post("/aws", wanted))["SAMLResponse"])
        return [value.partition(",")[0] for value in attributes_of(xml)["Role"]]

    if company.settings.aws.role_choice == "portal":
        assert ann.post("/aws", wanted).status_code == 403
        return
    assert set(shared()) == {DEV_ADMIN, ADMIN}
    switch(company.parts.database, TO)
    assert shared() == [DEV_ADMIN]
    # Straight to AWS's chooser she would never see the other role.
    assert company.visitor().sign_in("ann").headers["Location"] == "/"
    alone = base64.b64decode(posted_form(ann.open_role(ADMIN))["SAMLResponse"])
    assert etree.fromstring(alone).find(f"{SAML}EncryptedAssertion") is not None


def test_what_gets_too_long_by_encryption_is_refused_before_it_is_sent(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = company.signed_in("ann")
    plain = posted_form(ann.open_role(ADMIN))["SAMLResponse"]
    switch(company.parts.database, TO)
    monkeypatch.setattr(handover, "ASSERTION_CHARACTERS", len(plain) + 100)
    page = ann.open_role(ADMIN)
    assert page.status_code < 500
    assert "longer than" in page.text


def test_a_key_that_can_not_be_used_sends_nothing_in_plain(company: Company) -> None:
    ann = company.signed_in("ann")
    switch(company.parts.database, EncryptionKey("-----BEGIN rubbish", "0" * 64))
    page = ann.open_role(ADMIN)
    assert page.status_code == 503
    assert "could not be encrypted" in page.text
    assert "SAMLResponse" not in page.text


def test_an_account_that_is_gone_leaves_no_key_behind(database: Database) -> None:
    with database.writing() as session:
        for account in ACCOUNTS:
            save_account(session, account)
    switch(database, TO)
    with database.writing() as session:
        delete_account(session, PROD)
        save_account(session, ACCOUNTS[1])
    with database.reading() as session:
        assert not stored_encryption(session, PROD).begun


def test_what_is_kept_is_read_again(database: Database) -> None:
    with database.writing() as session:
        save_account(session, ACCOUNTS[1])
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}
    state = EncryptionState(
        provider_id=UUID,
        key=TO,
        key_id="SAMLPK1",
        work=Work.ROTATE,
        pending=EncryptionKey.of(memory_key(number=31).private.public_key()),
        pending_id="SAMLPK2",
        ids_before=("SAMLPK1",),
        retiring=("SAMLPK0",),
        mode_before="Required",
        provider_id_before="SAMLSPX",
        trust=(ChangedTrust("Developer", policy, policy),),
    )
    with database.writing() as session:
        save_encryption(session, PROD, state, datetime.now(UTC))
    with database.reading() as session:
        assert stored_encryption(session, PROD) == state
