"""Roles that depend on how and from where somebody comes, and names that depend on the role."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from idp.entitlements.account import Accounts
from idp.entitlements.rules_file import parse_rules
from idp.entitlements.store import apply_rules
from tests.company import ACCOUNTS, Company, Visitor, attributes_of, make_company, response_xml

READ = "arn:aws:iam::111122223333:role/ReadOnly"
ADMIN = "arn:aws:iam::111122223333:role/Administrator"
BILLING = "arn:aws:iam::111122223333:role/Billing"
RULES = b"""
[[rule]]
name = "anywhere"
users = ["ann"]
role = ["ReadOnly", "Billing"]
accounts = ["dev"]

[[rule]]
name = "at-the-office"
users = ["ann"]
factors = ["password"]
networks = ["10.0.0.0/8", "2001:db8::/32"]
role = "Administrator"
accounts = ["dev"]
role_session_name = "admin-{username}"
source_identity = "{email}"
duration = "{hours|default:30m}"

[[rule]]
name = "no-bills-from-the-lab"
effect = "deny"
users = ["ann"]
networks = ["10.66.0.0/16"]
role = "Billing"
accounts = ["dev"]

[[rule]]
name = "kerberos-only"
users = ["ann"]
factors = ["kerberos"]
role = "Operator"
accounts = ["dev"]
"""


@pytest.fixture
def company(tmp_path: Path, sqlite_url: str) -> Iterator[Company]:
    made = make_company(tmp_path, sqlite_url, datetime.now(UTC), server={"trusted_proxies": 1})
    with made.parts.database.writing() as session:
        apply_rules(session, parse_rules(RULES, Accounts(ACCOUNTS)))
    yield made
    made.parts.database.close()


def roles_from(visitor: Visitor, address: str) -> set[str]:
    page = visitor.get("/", headers={"X-Forwarded-For": address}).text
    return {arn for arn in (READ, ADMIN, BILLING) if arn in page} | (
        {"Operator"} if "role/Operator" in page else set()
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", {READ, BILLING}),
        ("10.1.2.3", {READ, BILLING, ADMIN}),
        ("::ffff:10.1.2.3", {READ, BILLING, ADMIN}),
        ("2001:db8::7", {READ, BILLING, ADMIN}),
        ("10.66.0.9", {READ, ADMIN}),
        ("10.1.2.3, 192.0.2.1", {READ, BILLING}),
        ("not an address", {READ}),
    ],
)
def test_what_a_person_gets_depends_on_the_address_of_each_request(
    company: Company, address: str, expected: set[str]
) -> None:
    assert roles_from(company.signed_in("ann"), address) == expected


def test_a_role_of_the_office_can_not_be_opened_from_elsewhere(company: Company) -> None:
    visitor = company.signed_in("ann")
    form = {"role": ADMIN, "csrf_token": visitor.form_token("/")}
    away = visitor.post("/aws", form, headers={"X-Forwarded-For": "192.0.2.1"})
    assert away.status_code == 403
    assert "SAMLResponse" not in away.text
    link = visitor.get(f"/aws?role={ADMIN}", headers={"X-Forwarded-For": "192.0.2.1"})
    assert link.status_code == 403


def test_the_rule_says_how_its_session_is_called_and_how_long_it_lasts(company: Company) -> None:
    visitor = company.signed_in("ann")
    office = {"X-Forwarded-For": "10.0.0.1"}
    form = {"role": ADMIN, "csrf_token": visitor.form_token("/")}
    sent = attributes_of(response_xml(company, visitor.post("/aws", form, headers=office)))
    assert sent["RoleSessionName"] == ["admin-ann"]
    assert sent["SourceIdentity"] == ["ann@corp.example"]
    assert sent["SessionDuration"] == ["1800"]
    form["role"] = READ
    plain = attributes_of(response_xml(company, visitor.post("/aws", form, headers=office)))
    assert plain["RoleSessionName"] == ["ann"]
    assert "SourceIdentity" not in plain


def test_roles_of_different_session_names_never_share_an_assertion(
    tmp_path: Path, sqlite_url: str
) -> None:
    company = make_company(tmp_path, sqlite_url, datetime.now(UTC), aws={"role_choice": "aws"})
    rules = RULES.replace(b'networks = ["10.0.0.0/8", "2001:db8::/32"]\n', b"")
    with company.parts.database.writing() as session:
        apply_rules(session, parse_rules(rules, Accounts(ACCOUNTS)))
    page = company.signed_in("ann").get("/aws?partition=aws")
    assert page.status_code == 403
    assert "SAMLResponse" not in page.text
    company.parts.database.close()
