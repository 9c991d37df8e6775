"""Service providers fetch our metadata by URL, each with an overlap; status knows who has."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import load_der_x509_certificate
from lxml import etree

from idp.cli.main import idp
from idp.keys.lifecycle import activate
from tests.company import Company, make_company
from tests.independent import assert_valid_metadata
from tests.making import generate_key

NOW = datetime.now(UTC)
DS = "{http://www.w3.org/2000/09/xmldsig#}"


@pytest.fixture
def company(tmp_path: Path, sqlite_url: str) -> Iterator[Company]:
    made = make_company(
        tmp_path,
        sqlite_url,
        NOW,
        service_providers=[
            {"name": "grafana", "overlap_hours": 2},
            {"name": "wiki", "overlap_hours": 48},
        ],
    )
    yield made
    made.parts.database.close()


def add_key(company: Company) -> str:
    with company.parts.database.writing() as session:
        return generate_key(session, company.settings, now=NOW, days=100).fingerprint


def switch(company: Company, fingerprint: str, at: datetime) -> None:
    with company.parts.database.writing() as session:
        activate(session, find(company, fingerprint), at, "test")


def find(company: Company, fingerprint: str) -> str:
    shown = json.loads(command(company, "list", "--json").stdout)
    return next(str(key["id"]) for key in shown if key["fingerprint"] == fingerprint)


def command(company: Company, *words: str) -> Result:
    file = company.settings.data_folder / "idp.toml"
    file.write_text(
        f"data_folder = '{company.settings.data_folder}'\n"
        f"[database]\nurl = '{company.settings.database_url}'\n"
        "[[service_providers]]\nname = 'grafana'\n[[service_providers]]\nname = 'wiki'\n"
    )
    return CliRunner().invoke(idp, ["-c", str(file), "certs", *words])


def certificates(company: Company, path: str) -> list[str]:
    page = company.visitor().get(path)
    assert page.status_code == 200
    assert_valid_metadata(page.data)
    return [
        load_der_x509_certificate(base64.b64decode(each.text or ""))
        .fingerprint(hashes.SHA256())
        .hex()
        for each in etree.fromstring(page.data).iter(f"{DS}X509Certificate")
    ]


def test_each_keeps_the_old_certificate_for_its_own_time(company: Company) -> None:
    old = company.parts.keys.active().key.fingerprint
    new = add_key(company)
    for path in ("/metadata", "/metadata/for/grafana", "/metadata/for/wiki"):
        assert certificates(company, path) == [old, new]
    switch(company, new, NOW - timedelta(hours=3))
    assert certificates(company, "/metadata") == [new, old]
    assert certificates(company, "/metadata/for/grafana") == [new]
    assert certificates(company, "/metadata/for/wiki") == [new, old]


def test_a_name_that_is_not_set_up_is_told_where_to_look(company: Company) -> None:
    page = company.visitor().get("/metadata/for/nobody")
    assert page.status_code == 404
    assert "/metadata" in page.text
    assert company.visitor().get("/metadata/for/%3Cscript%3E").status_code == 404


def test_status_says_who_has_not_seen_a_coming_key(company: Company) -> None:
    visitor = company.visitor()
    for name in ("grafana", "wiki"):
        visitor.get(f"/metadata/for/{name}", headers={"User-Agent": f"{name}/1"})
    visitor.get("/metadata", headers={"User-Agent": "curl\x1b/8"})
    new = add_key(company)
    visitor.get("/metadata/for/grafana")

    told = json.loads(command(company, "status", "--json").stdout)
    [coming] = [key for key in told["keys"] if key["fingerprint"] == new]
    assert coming["not_seen_by"] == ["wiki"]
    by_name = {each["service_provider"]: each for each in told["fetches"]}
    assert new in by_name["grafana"]["certificates"]
    assert new not in by_name["wiki"]["certificates"]
    assert (by_name["wiki"]["user_agent"], by_name["wiki"]["address"]) == ("wiki/1", "127.0.0.1")
    assert by_name[None]["user_agent"] == "curl\\x1b/8"

    shown = command(company, "status", "--exit-code")
    assert shown.exit_code == 1
    assert f"! wiki: It has not fetched the metadata since key {find(company, new)}" in shown.stdout
    visitor.get("/metadata/for/wiki")
    after = command(company, "status", "--exit-code")
    # The company's first key has 30 days left, which is worth a warning by itself.
    assert "wiki: It has not" not in after.stdout
    assert "The certificate of the active key ends in 30 days." in after.stdout
    assert after.exit_code == 1


def test_status_is_content_when_there_is_nothing_to_do(company: Company) -> None:
    new = add_key(company)
    switch(company, new, NOW)
    for name in ("grafana", "wiki"):
        company.visitor().get(f"/metadata/for/{name}")
    shown = command(company, "status", "--exit-code")
    assert (shown.exit_code, shown.stdout.splitlines()[-1]) == (0, "Nothing needs attention.")


def test_status_says_that_the_active_key_cannot_be_used(company: Company) -> None:
    for file in company.settings.keys.folder.iterdir():
        file.chmod(0o644)
    shown = command(company, "status", "--exit-code")
    assert shown.exit_code == 1
    assert "by others (mode 0644)" in shown.stdout


def test_a_question_for_the_headers_alone_is_no_fetch(company: Company) -> None:
    company.visitor().client.head("/metadata/for/wiki", base_url=company.settings.server.base_url)
    assert json.loads(command(company, "status", "--json").stdout)["fetches"] == []
