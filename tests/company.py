"""A small company in a running application, and a browser without a screen to visit it."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.db.engine import Database
from idp.directory.local import LocalDirectory
from idp.directory.passwords import Passwords
from idp.entitlements.account import Account, Accounts
from idp.entitlements.rules_file import parse_rules
from idp.entitlements.store import apply_rules, save_account
from idp.keys.store import active_key
from idp.sandbox.judge import judge_response, read_metadata
from idp.settings import Settings
from idp.web.parts import Parts
from tests import independent
from tests.independent import SAML
from tests.making import generate_key

PASSWORD = "correct horse battery staple"
ACCOUNTS = (
    Account("111122223333", "dev", "aws", "ExampleIdP"),
    Account("222233334444", "prod", "aws", "ExampleIdP", "SAMLSP4SHN3UIS2D558H46"),
    Account("444455556666", "china", "aws-cn", "ExampleIdP"),
)
RULES = b"""
[[rule]]
name = "platform"
groups = ["platform"]
role = "Administrator"
accounts = ["dev", "prod", "china"]
duration = "1h"
tags = { Department = "{department}" }
transitive = ["Department"]

[[rule]]
name = "platform-read"
groups = ["platform"]
role = "ReadOnly"
accounts = ["dev", "prod"]
duration = "8h"

[[rule]]
name = "developers"
groups = ["developers"]
role = "Developer"
accounts = ["dev"]
duration = "4h"
"""
# A cost that keeps tests quick; the strength of the hash is not what they are about.
FAST = {"argon2_memory_kib": 8192, "argon2_passes": 1}


@dataclass
class Company:
    """The application, and what a test wants to know of it."""

    app: Flask
    settings: Settings
    certificate: x509.Certificate

    @property
    def parts(self) -> Parts:
        found: Parts = self.app.extensions["idp"]
        return found

    @property
    def directory(self) -> LocalDirectory:
        return LocalDirectory(self.parts.database, Passwords(self.settings.sign_in))

    def visitor(self) -> Visitor:
        return Visitor(self.app.test_client(), self.settings.server.base_url)

    def signed_in(self, username: str) -> Visitor:
        visitor = self.visitor()
        assert visitor.sign_in(username).status_code == 303
        return visitor


@dataclass
class Visitor:
    """A browser that follows nothing by itself."""

    client: FlaskClient
    base_url: str

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, base_url=self._origin, **options)

    def post(self, path: str, fields: Any, **options: Any) -> TestResponse:
        return self.client.post(path, data=fields, base_url=self._origin, **options)

    @property
    def _origin(self) -> str:
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def form_token(self, path: str = "/sign-in") -> str:
        page = self.get(path)
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
        assert found, f"no form on {path} ({page.status})"
        return found[1]

    def sign_in(self, username: str, password: str = PASSWORD, **fields: str) -> TestResponse:
        token = self.form_token()
        form = {"username": username, "password": password, "csrf_token": token, **fields}
        return self.post("/sign-in", form)

    def open_role(self, role: str, **fields: str) -> TestResponse:
        form = {"role": role, "csrf_token": self.form_token("/"), **fields}
        return self.post("/aws", form)


def make_company(
    folder: Path,
    database_url: str,
    now: datetime,
    *,
    people: Sequence[tuple[str, Sequence[str], dict[str, tuple[str, ...]]]] = (),
    custody: str = "file",
    rules: bytes = RULES,
    **sections: object,
) -> Company:
    """A company with three AWS accounts; `sections` override settings, like aws={...}."""
    settings = Settings.model_validate(
        {
            "organization": "Example Corp",
            "data_folder": folder,
            "database": {"url": database_url},
            "keys": {"folder": folder / "certs"},
            "sign_in": FAST,
            **sections,
        }
    )
    database = Database(settings.database_url)
    with database.writing() as session:
        generate_key(session, settings, now=now, days=30, custody=custody)
        for account in ACCOUNTS:
            save_account(session, account)
        apply_rules(session, parse_rules(rules, Accounts(ACCOUNTS)))
        certificate = active_key(session).certificate
    directory = LocalDirectory(database, Passwords(settings.sign_in))
    department = {"department": ("Platform",)}
    for username, groups, attributes in people or (
        ("ann", ["platform"], department),
        ("bob", ["developers"], {}),
        ("cleo", [], {}),
    ):
        directory.add(
            username,
            display_name=username.title(),
            email=f"{username}@corp.example",
            groups=groups,
            attributes=attributes,
            password=PASSWORD,
            now=now,
        )
    database.close()
    return Company(create_app(settings), settings, certificate)


def posted_form(page: TestResponse) -> dict[str, str]:
    """Where the assertion page posts to ("action") and its hidden fields."""
    form = re.search(r'<form id="assertion".*?</form>', page.text, re.DOTALL)
    assert form, f"no assertion on the page ({page.status})"
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
    action = re.search(r'action="([^"]*)"', form[0])
    assert action
    return {name: html.unescape(value) for name, value in (fields | {"action": action[1]}).items()}


def response_xml(company: Company, page: TestResponse) -> bytes:
    """The Response that the page posts, after everybody else has accepted it.

    The OASIS schema, python-xmlsec, signxml, and the judge of the sandbox with the metadata that
    the company publishes.
    """
    form = posted_form(page)
    xml = base64.b64decode(form["SAMLResponse"], validate=True)
    independent.assert_valid_response(xml)
    signatures = 2 if company.settings.aws.sign_response else 1
    assert independent.verify_with_xmlsec(xml, company.certificate) == signatures
    assert independent.verify_with_signxml(xml, company.certificate) == signatures
    provider, refusals = read_metadata(company.visitor().get("/metadata").text)
    assert provider, refusals
    judgement = judge_response(
        form["SAMLResponse"],
        provider=provider,
        endpoints=(form["action"],),
        now=datetime.now(UTC),
    )
    assert judgement.refusals == ()
    assert judgement.verdict is not None
    return xml


def attributes_of(xml: bytes) -> dict[str, list[str]]:
    """Attribute values by the last part of the attribute's name."""
    return {
        str(attribute.get("Name")).rsplit("/", 1)[-1]: [value.text or "" for value in attribute]
        for attribute in etree.fromstring(xml).iter(SAML + "Attribute")
    }
