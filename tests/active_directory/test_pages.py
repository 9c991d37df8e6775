"""Signing in through the pages against Active Directory, while its controllers come and go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.active_directory.conftest import close, directory_table, events
from tests.active_directory.corp import BOB, DISABLED_ONE, EXPIRED, LOCKED, MUST_CHANGE
from tests.company import Company, make_company, response_xml
from tests.servers.samba import PASSWORD, Controller, Domain

pytestmark = pytest.mark.xdist_group("ad")

RULES = b"""
[[rule]]
name = "readers"
groups = ["AWS-outer"]
role = "Reader"
accounts = ["dev", "prod"]
duration = "1h"
"""
DEV_READER = "arn:aws:iam::111122223333:role/Reader"
CHANGE = "https://password.corp.test/"


@pytest.fixture(scope="module")
def second(domain: Domain) -> Iterator[Controller]:
    """Another controller with the same people."""
    with domain.controller() as running:
        yield running


@pytest.fixture
def company(
    tmp_path: Path, sqlite_url: str, controller: Controller, second: Controller
) -> Iterator[Company]:
    table = directory_table((controller, second), tmp_path, password_change_url=CHANGE)
    made = make_company(
        tmp_path,
        sqlite_url,
        datetime.now(UTC),
        rules=RULES,
        directories=[table, {"name": "local"}],
        session={"refresh_seconds": 0},
    )
    yield made
    close(made)


def test_from_a_nested_group_to_aws(company: Company) -> None:
    visitor = company.visitor()
    assert visitor.sign_in("CORP\\ann", PASSWORD).status_code == 303
    assert "Ann Archer" in visitor.get("/").text
    response_xml(company, visitor.open_role(DEV_READER))
    assert events(company)[0][:2] == ("sign_in.succeeded", "corp/ann")


@pytest.mark.parametrize(
    ("username", "password", "reason"),
    [
        ("nobody", PASSWORD, "unknown_user"),
        (BOB.account, "wrong", "wrong_password"),
        (DISABLED_ONE.account, PASSWORD, "disabled"),
        (MUST_CHANGE.account, PASSWORD, "must_change"),
        (EXPIRED.account, PASSWORD, "expired"),
    ],
)
def test_the_page_says_one_thing_and_the_trail_says_why(
    company: Company, username: str, password: str, reason: str
) -> None:
    page = company.visitor().sign_in(f"{username}@corp.test", password)
    assert page.status_code == 401
    assert "The user name or the password is not right." in page.text
    assert CHANGE in page.text  # the same for everybody
    assert reason not in page.text
    assert events(company)[-1][2]["reason"] == reason
    assert CHANGE in company.visitor().get("/sign-in").text


def test_one_controller_stops_in_the_middle_and_nobody_notices(
    company: Company, controller: Controller
) -> None:
    visitor = company.visitor()
    assert visitor.sign_in("ann", PASSWORD).status_code == 303
    with controller.stopped():
        assert visitor.get("/").status_code == 200
        assert company.visitor().sign_in("bob@corp.test", PASSWORD).status_code == 303
        response_xml(company, visitor.open_role(DEV_READER))


def test_a_controller_that_hangs_costs_two_seconds_once(
    company: Company, controller: Controller
) -> None:
    assert company.visitor().sign_in("ann", PASSWORD).status_code == 303
    with controller.frozen():
        began = time.monotonic()
        assert company.visitor().sign_in("ann", PASSWORD).status_code == 303
        first = time.monotonic() - began
        began = time.monotonic()
        assert company.visitor().sign_in("ann", PASSWORD).status_code == 303
        later = time.monotonic() - began
    assert first < 2 + 3
    assert later < first


def test_without_any_controller_others_go_on(
    company: Company, controller: Controller, second: Controller
) -> None:
    visitor = company.visitor()
    assert visitor.sign_in("ann", PASSWORD).status_code == 303
    with controller.stopped(), second.stopped():
        for path in ("/", "/aws?account=dev&role=Reader"):
            page = visitor.get(path)
            assert page.status_code == 503
            assert "The directory corp does not answer" in page.text
            assert "SAMLResponse" not in page.text
        page = company.visitor().sign_in("ann", PASSWORD)
        assert page.status_code == 503
        assert events(company)[-1][2]["reason"] == "directory_unavailable"
        # Bob of the local database has his own password, and no need of Active Directory.
        assert company.visitor().sign_in("bob").status_code == 303
        assert company.visitor().get("/readyz").status_code == 503
    deadline = time.monotonic() + 20
    while visitor.get("/").status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert visitor.get("/").status_code == 200  # the session outlived it


def test_a_lock_ends_the_session(company: Company, controller: Controller) -> None:
    visitor = company.visitor()
    assert visitor.sign_in(LOCKED.account, PASSWORD).status_code == 303
    assert visitor.get("/").status_code == 200
    for _ in range(3):
        assert company.visitor().sign_in(LOCKED.account, "wrong").status_code == 401
    assert visitor.get("/").headers["Location"].startswith("/sign-in")
    controller.change(LOCKED.dn, lockoutTime="0")
