"""Signing in with a Kerberos ticket: through the pages, with curl, and with a browser."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp.db.models import SessionRow
from tests.active_directory.conftest import HOST, SERVICE, Token, close, directory_table, events
from tests.active_directory.corp import DISABLED, NORMAL, Someone, add_person
from tests.company import Company, Visitor, make_company, response_xml
from tests.conftest import require_program
from tests.independent import SAML
from tests.operations.conftest import company_settings
from tests.operations.node import Node
from tests.servers.postgresql import free_port
from tests.servers.samba import Controller

pytestmark = pytest.mark.xdist_group("ad")

INSIDE, OUTSIDE = "10.20.30.40", "198.51.100.7"
DEV_READER = "arn:aws:iam::111122223333:role/Reader"
RULES = b"""
[[rule]]
name = "readers"
groups = ["AWS-outer"]
role = "Reader"
accounts = ["dev"]
duration = "1h"
"""


def kerberos_table(keytab: Path) -> dict[str, Any]:
    return {"keytab": str(keytab), "realm": "corp.test", "directory": "corp"}


@pytest.fixture
def company(
    tmp_path: Path, sqlite_url: str, controller: Controller, keytab: Path
) -> Iterator[Company]:
    made = make_company(
        tmp_path,
        sqlite_url,
        datetime.now(UTC),
        rules=RULES,
        server={"base_url": f"http://{HOST}", "trusted_proxies": 1},
        directories=[directory_table(controller, tmp_path), {"name": "local"}],
        kerberos=kerberos_table(keytab),
        session={"refresh_seconds": 0},
    )
    yield made
    close(made)


def ask(
    visitor: Visitor,
    path: str = "/sign-in",
    token: bytes | None = None,
    *,
    address: str = INSIDE,
    scheme: str = "http",
    **headers: str,
) -> TestResponse:
    """A request through a proxy, from inside the company's network unless `address` says else."""
    sent = {"X-Forwarded-For": address, "X-Forwarded-Proto": scheme}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        sent["Authorization"] = "Negotiate " + base64.b64encode(token).decode()
    return visitor.get(path, headers=sent)


def test_a_browser_is_asked_for_a_ticket_along_with_the_form(company: Company) -> None:
    page = ask(company.visitor())
    assert page.status_code == 401
    assert page.headers.getlist("WWW-Authenticate") == ["Negotiate"]
    assert 'name="password"' in page.text


def test_a_ticket_opens_a_session_that_leads_to_aws(company: Company, token_of: Token) -> None:
    visitor = company.visitor()
    answer = ask(visitor, "/sign-in?next=/preflight", token_of("ann"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/preflight")
    assert answer.headers["WWW-Authenticate"].startswith("Negotiate ")  # we proved ourselves too
    page = visitor.open_role(DEV_READER)
    context = etree.fromstring(response_xml(company, page)).find(f".//{SAML}AuthnContextClassRef")
    assert context is not None
    assert context.text == "urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos"
    with company.parts.database.reading() as session:
        (row,) = session.scalars(select(SessionRow))
        assert (row.factors, row.address) == (["kerberos"], INSIDE)
    kind, actor, detail = next(event for event in events(company) if event[0][:7] == "sign_in")
    assert (kind, actor) == ("sign_in.succeeded", "corp/ann")
    assert detail["factor"] == "kerberos"


@pytest.mark.parametrize("username", ["ANN", "dora.dent", "ddent"])
def test_names_are_compared_as_active_directory_does(
    company: Company, token_of: Token, username: str
) -> None:
    visitor = company.visitor()
    assert ask(visitor, token=token_of(username)).status_code == 303
    assert events(company)[-1][1] == ("corp/ann" if username == "ANN" else "corp/ddent")


def test_with_a_ticket_the_way_never_leads_to_another_site(
    company: Company, token_of: Token
) -> None:
    for wanted in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        answer = ask(company.visitor(), f"/sign-in?next={wanted}", token_of("ann"))
        assert answer.headers["Location"].startswith(("/aws?", "/"))
        assert "evil" not in answer.headers["Location"]


def test_a_refused_ticket_shows_the_form_and_asks_no_second_time(
    company: Company, token_of: Token
) -> None:
    token = token_of("ann")
    assert ask(company.visitor(), token=token).status_code == 303
    ntlm = b"NTLMSSP\0\1\0\0\0\x97\x82\x08\xe2" + b"\0" * 24
    for wrong, reason in (
        (token, "kerberos_replayed"),
        (ntlm, "kerberos_ntlm"),
        (b"rubbish", "kerberos_malformed"),
    ):
        page = ask(company.visitor(), token=wrong)
        assert page.status_code == 401
        assert "WWW-Authenticate" not in page.headers
        assert 'name="password"' in page.text
        assert "could not be used" in page.text
        assert reason not in page.text
        assert events(company)[-1][2]["reason"] == reason


@pytest.mark.parametrize(
    "header", ["Negotiate", "Negotiate !!!", "negotiate \xff", "Negotiate " + "A" * 100_000]
)
def test_a_header_that_can_not_be_read_is_a_refused_ticket(company: Company, header: str) -> None:
    page = ask(company.visitor(), Authorization=header)
    assert page.status_code == 401
    assert "WWW-Authenticate" not in page.headers


def test_other_kinds_of_authorization_are_not_looked_at(company: Company) -> None:
    page = ask(company.visitor(), Authorization="Basic YW5uOlBhc3N3MHJkIQ==")
    assert page.headers["WWW-Authenticate"] == "Negotiate"


def test_nobody_outside_the_networks_is_asked_or_let_in(company: Company, token_of: Token) -> None:
    page = ask(company.visitor(), address=OUTSIDE)
    assert (page.status_code, "WWW-Authenticate" in page.headers) == (200, False)
    assert "network account" not in page.text
    token = token_of("ann")
    page = ask(company.visitor(), token=token, address=OUTSIDE)
    assert page.status_code == 200
    assert ask(company.visitor(), token=token).status_code == 303  # it was not even opened


def test_a_picture_or_a_frame_of_another_site_is_not_asked(company: Company) -> None:
    for place in ("image", "iframe", "script", "empty"):
        page = ask(company.visitor(), Sec_Fetch_Dest=place)
        assert "WWW-Authenticate" not in page.headers
    page = ask(company.visitor(), Sec_Fetch_Dest="document")
    assert page.headers["WWW-Authenticate"] == "Negotiate"


def test_signing_out_is_not_undone_by_the_ticket(company: Company, token_of: Token) -> None:
    visitor = company.visitor()
    assert ask(visitor, token=token_of("ann")).status_code == 303
    form = {"csrf_token": visitor.form_token("/")}
    assert visitor.post("/sign-out", form).status_code == 303
    page = ask(visitor)
    assert (page.status_code, "WWW-Authenticate" in page.headers) == (200, False)
    # Browsers may send a ticket without being asked, where one was taken before.
    assert ask(visitor, token=token_of("ann")).status_code == 200
    assert "/sign-in?network=1" in page.text
    assert ask(visitor, "/sign-in?network=1").headers["WWW-Authenticate"] == "Negotiate"
    assert ask(visitor, "/sign-in?network=1", token_of("ann")).status_code == 303
    # From then on it is as it was before.
    visitor.client.delete_cookie("idp-session", domain=HOST)
    assert ask(visitor).headers["WWW-Authenticate"] == "Negotiate"


def test_a_password_works_where_a_ticket_is_asked_for(company: Company) -> None:
    visitor = company.visitor()
    assert visitor.sign_in("ann", "Passw0rd!").status_code == 303
    assert company.visitor().sign_in("bob").status_code == 303  # of the local directory


def test_a_disabled_account_is_refused_although_its_ticket_is_good(
    company: Company, token_of: Token, controller: Controller
) -> None:
    someone = Someone("ticketed", "Ticketed Tess")
    with controller.administrator() as connection:
        add_person(connection, someone)
    early, late, last = (token_of("ticketed") for _ in range(3))
    visitor = company.visitor()
    assert ask(visitor, token=early).status_code == 303
    controller.change(someone.dn, userAccountControl=str(DISABLED))
    assert visitor.get("/").headers["Location"].startswith("/sign-in")  # the session is over
    assert ask(company.visitor(), token=late).status_code == 401
    assert events(company)[-1] == (
        "sign_in.refused",
        "corp/ticketed@CORP.TEST",
        {"reason": "disabled"},
    )
    controller.change(someone.dn, userAccountControl=str(NORMAL))
    assert ask(company.visitor(), token=last).status_code == 303


def test_an_account_made_anew_with_the_same_name_is_not_the_tickets_holder(
    company: Company, token_of: Token, controller: Controller
) -> None:
    someone = Someone("twice", "Twice Tim")
    with controller.administrator() as connection:
        add_person(connection, someone)
    token = token_of("twice")
    with controller.administrator() as connection:
        connection.delete(someone.dn)
        add_person(connection, someone)
    assert ask(company.visitor(), token=token).status_code == 401
    assert events(company)[-1][2]["reason"] == "kerberos_other_account"


def test_over_plain_http_nobody_is_asked_where_tls_is_promised(
    tmp_path: Path, sqlite_url: str, controller: Controller, keytab: Path
) -> None:
    made = make_company(
        tmp_path,
        sqlite_url,
        datetime.now(UTC),
        server={"base_url": f"https://{HOST}", "trusted_proxies": 1},
        directories=[directory_table(controller, tmp_path)],
        kerberos={**kerberos_table(keytab), "service_principal": SERVICE},
    )
    visitor = made.visitor()
    assert ask(visitor, scheme="http").status_code == 200
    assert ask(visitor, scheme="https").status_code == 401
    close(made)


@pytest.fixture
def node(tmp_path: Path, sqlite_url: str, controller: Controller, keytab: Path) -> Iterator[Node]:
    """That company's real server, which no proxy stands before."""
    settings = company_settings(tmp_path, sqlite_url, rules=RULES)
    settings["directories"] = [directory_table(controller, tmp_path)]
    settings["kerberos"] = kerberos_table(keytab)
    port = free_port()
    address = f"http://{HOST}:{port}"
    with Node(tmp_path / "node", settings=settings, port=port, base_url=address) as running:
        yield running


def test_curl_signs_in(node: Node, controller: Controller, tmp_path: Path) -> None:
    tickets = controller.sign_in("ann", tmp_path / "tickets")
    command = ["curl", "-sS", "--negotiate", "-u", ":", "--cookie-jar", str(tmp_path / "cookies")]
    command += ["--location", "--resolve", f"{HOST}:{node.port}:127.0.0.1"]
    command += ["--write-out", "%{http_code}", node.base_url]
    done = subprocess.run(command, env=tickets, capture_output=True, text=True, timeout=30)
    assert done.stdout.endswith("200"), done.stdout + done.stderr
    assert "SAMLResponse" in done.stdout
    without = {**tickets, "KRB5CCNAME": f"FILE:{tmp_path / 'none'}"}
    command[command.index(str(tmp_path / "cookies"))] = str(tmp_path / "others")
    done = subprocess.run(command, env=without, capture_output=True, text=True, timeout=30)
    assert done.stdout.endswith("401"), done.stdout + done.stderr
    assert 'name="password"' in done.stdout


def test_chromium_signs_in_without_typing(
    node: Node, controller: Controller, tmp_path: Path
) -> None:
    tickets = controller.sign_in("target", tmp_path / "tickets")
    shown = _chromium(node.base_url + "/", tmp_path / "with", tickets, "--auth-server-allowlist=*")
    assert "Target Tom" in shown
    # Whoever has no ticket sees the form, not a box of the browser's own.
    without = {**tickets, "KRB5CCNAME": f"FILE:{tmp_path / 'none'}"}
    shown = _chromium(
        node.base_url + "/", tmp_path / "without", without, "--auth-server-allowlist=*"
    )
    assert 'name="password"' in shown


def _chromium(url: str, profile: Path, environment: dict[str, str], *options: str) -> str:
    """What the page holds once it is shown; `profile` is a new one."""
    program = require_program("Chromium", "chromium", "chromium-browser", "google-chrome")
    profile.mkdir()
    # Without it a profile's first run has no GSS-API: it is loaded once a site has asked for it.
    known = {"net": {"received_http_auth_negotiate_headers": True}}
    (profile / "Local State").write_text(json.dumps(known))
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command += ["--disable-sync", f"--user-data-dir={profile}", *options, "--dump-dom", url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.stdout
