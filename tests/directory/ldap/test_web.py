"""Through the pages: people of two directories, a server that goes away, somebody who leaves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from idp.audit.reading import Search, newest
from idp.db.models import SignInFailureRow
from tests.company import PASSWORD as LOCAL_PASSWORD
from tests.company import Company, make_company
from tests.directory.ldap.conftest import settings_for
from tests.servers.slapd import PASSWORD, Slapd

pytestmark = pytest.mark.xdist_group("heavy")


@pytest.fixture
def own_slapd() -> Iterator[Slapd]:
    """A server that the test may stop."""
    with Slapd() as server:
        server.seed()
        dora = server.add_person("dora", "Dora Dean", departmentNumber="Platform")
        server.add_person("ann", "The other Ann")
        platform = server.add_group("platform-team", dora)
        server.add_group("platform", platform)
        yield server


MakeCompany = Callable[..., Company]


@pytest.fixture
def company_with(own_slapd: Slapd, tmp_path: Path, sqlite_url: str) -> Iterator[MakeCompany]:
    made: list[Company] = []

    def make(**changed: Any) -> Company:
        corp = settings_for(
            own_slapd,
            folder=tmp_path,
            **{"realms": ["corp.example", "CORP"], "timeout_seconds": 0.5, **changed},
        )
        directories = [{"name": "local", "realms": ["local"]}, corp.model_dump()]
        company = make_company(
            tmp_path,
            sqlite_url,
            datetime.now(UTC),
            directories=directories,
            session={"refresh_seconds": 0},
        )
        made.append(company)
        return company

    yield make
    for company in made:
        for directory in company.parts.directories.values():
            directory.close()  # type: ignore[attr-defined]
        company.parts.database.close()


def _last_reason(company: Company) -> object:
    return newest(company.parts.database, Search(), 1)[0].told().get("reason")


def test_people_of_both_directories_sign_in_and_get_roles(company_with: MakeCompany) -> None:
    company = company_with()
    visitor = company.visitor()
    assert visitor.sign_in("dora", PASSWORD).status_code == 303
    page = visitor.get("/").text
    assert "Administrator" in page
    assert "ReadOnly" in page
    assert company.visitor().sign_in("bob", LOCAL_PASSWORD).status_code == 303


def test_namesakes_are_two_people_told_apart_by_realm_and_password(
    company_with: MakeCompany,
) -> None:
    company = company_with()
    cases = [
        ("ann", LOCAL_PASSWORD, "Ann"),
        ("ann", PASSWORD + " ", None),
        ("CORP\\ann", PASSWORD, "The other Ann"),
        ("ann@corp.example", PASSWORD, "The other Ann"),
        ("ann@local", LOCAL_PASSWORD, "Ann"),
    ]
    assert PASSWORD == LOCAL_PASSWORD, "so the realm alone decides"
    for name, password, shown in cases:
        visitor = company.visitor()
        status = visitor.sign_in(name, password).status_code
        if shown is None:
            assert status == 401
        else:
            assert status == 303
            assert f">{shown}<" in visitor.get("/").text or shown in visitor.get("/").text


def test_every_spelling_of_a_name_fills_one_counter(company_with: MakeCompany) -> None:
    company = company_with(login_attributes=["uid", "sn"])
    spellings = ["dora", "DORA@corp.example", "CORP\\dora", "dean", "Dora@CORP"]
    for name in spellings:
        assert company.visitor().sign_in(name, "wrong").status_code == 401
    # What is told is that of a name that nobody has, or a name would be known for somebody's.
    for name in ("dean", "dora"):
        assert company.visitor().sign_in(name, PASSWORD).status_code == 401
        assert _last_reason(company) == "throttled"
    assert company.visitor().sign_in("CORP\\dora", PASSWORD).status_code == 429
    assert company.visitor().sign_in("nobody", PASSWORD).status_code == 401


@pytest.mark.parametrize("name", ["dora", "nobody"])
def test_a_name_of_somebody_and_one_of_nobody_are_slowed_down_the_same(
    company_with: MakeCompany, name: str
) -> None:
    company = company_with()
    codes = [company.visitor().sign_in(name, "wrong").status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    with company.parts.database.reading() as session:
        rows = session.scalar(select(func.count()).select_from(SignInFailureRow))
    assert rows == 5 * (3 + 2 + 2), "of the local directory, of the typed name and of its owner"


def test_a_password_of_ones_own_buys_no_guesses_at_a_namesake(company_with: MakeCompany) -> None:
    """Signing in as ann of one directory empties no counter of ann of the other."""
    company = company_with()
    for _ in range(4):
        assert company.visitor().sign_in("CORP\\ann", "wrong").status_code == 401
    attacker = company.visitor()
    assert attacker.sign_in("ann@local", LOCAL_PASSWORD).status_code == 303
    attacker.post("/sign-out", {"csrf_token": attacker.form_token("/")})
    assert attacker.sign_in("CORP\\ann", "wrong").status_code == 401
    assert attacker.sign_in("CORP\\ann", "wrong").status_code == 429


def test_one_sentence_for_every_refusal_and_the_reason_in_the_trail(
    own_slapd: Slapd, company_with: MakeCompany
) -> None:
    own_slapd.modify(own_slapd.add_person("must"), pwdReset="TRUE")
    own_slapd.modify(own_slapd.add_person("gone"), pwdAccountLockedTime="000001010000Z")
    company = company_with()
    pages = set()
    for name, password, reason in (
        ("must@corp.example", PASSWORD, "must_change"),
        ("gone@corp.example", PASSWORD, "locked"),
        ("nobody@corp.example", PASSWORD, "unknown_user"),
        ("dora@corp.example", "wrong", "wrong_password"),
    ):
        page = company.visitor().sign_in(name, password)
        assert page.status_code == 401
        pages.add(page.text.split('class="notice')[1].split("</form>")[0].split("<form")[0])
        assert _last_reason(company) == reason
    assert len(pages) == 1


def test_odd_input_is_refused_and_never_an_error(company_with: MakeCompany) -> None:
    company = company_with()
    for name, password in (
        ("dora", "\0"),
        ("do\0ra", PASSWORD),
        ("dora", "x" * 9000),
        ("dora)(uid=*", PASSWORD),
        ("CORP\\", PASSWORD),
        ("@corp.example", PASSWORD),
        ("CORP\\CORP\\dora", PASSWORD),
    ):
        assert company.visitor().sign_in(name, password).status_code == 401
    token = company.visitor()
    csrf = token.form_token()
    raw = b"username=dora&password=%ff%fe&csrf_token=" + csrf.encode()
    answer = token.post("/sign-in", raw, content_type="application/x-www-form-urlencoded")
    assert answer.status_code in (400, 401)


def test_a_directory_that_is_away_says_so_and_the_other_goes_on(
    own_slapd: Slapd, company_with: MakeCompany, caplog: pytest.LogCaptureFixture
) -> None:
    company = company_with()
    signed_in = company.visitor()
    assert signed_in.sign_in("dora", PASSWORD).status_code == 303
    own_slapd.freeze()
    page = company.visitor().sign_in("dora", PASSWORD)
    assert page.status_code == 503
    assert "does not answer" in page.text
    assert str(own_slapd.tls_port) not in page.text
    assert company.visitor().sign_in("bob", LOCAL_PASSWORD).status_code == 303
    assert signed_in.get("/").status_code == 503, "what can't be read again grants nothing"
    ready = company.app.test_client().get("/readyz")
    assert ready.status_code == 503
    assert ready.json["parts"]["directories"] == "failing"  # type: ignore[index]
    assert logging.ERROR in {record.levelno for record in caplog.records}
    metrics = company.app.test_client().get("/metrics").text
    assert 'idp_directory_up{directory="corp"} 0.0' in metrics
    assert 'idp_directory_up{directory="local"} 1.0' in metrics
    own_slapd.thaw()


@pytest.mark.parametrize("change", ["removed", "locked", "no longer matching"])
def test_who_leaves_loses_the_session_within_the_set_time(
    own_slapd: Slapd, company_with: MakeCompany, change: str
) -> None:
    company = company_with(user_filter="(&(objectClass=inetOrgPerson)(!(employeeType=left)))")
    visitor = company.visitor()
    assert visitor.sign_in("dora", PASSWORD).status_code == 303
    assert visitor.get("/").status_code == 200
    dora = "uid=dora,ou=people,dc=example,dc=test"
    if change == "removed":
        own_slapd.delete(dora)
    elif change == "locked":
        own_slapd.modify(dora, pwdAccountLockedTime="000001010000Z")
    else:
        own_slapd.modify(dora, employeeType="left")
    answer = visitor.get("/")
    assert answer.status_code in (302, 303)
    assert "/sign-in" in answer.headers["Location"]


def test_who_leaves_a_group_loses_its_roles(own_slapd: Slapd, company_with: MakeCompany) -> None:
    company = company_with()
    visitor = company.visitor()
    visitor.sign_in("dora", PASSWORD)
    assert "Administrator" in visitor.get("/").text
    own_slapd.delete("cn=platform-team,ou=groups,dc=example,dc=test")
    assert "Administrator" not in visitor.get("/").text


def test_the_page_for_changing_passwords_is_linked_for_everybody(
    company_with: MakeCompany,
) -> None:
    company = company_with(password_change_url="https://password.corp.example/")
    assert 'href="https://password.corp.example/"' in company.visitor().get("/sign-in").text
    page = company.visitor().sign_in("nobody", "wrong")
    assert 'href="https://password.corp.example/"' in page.text


def test_a_session_is_refreshed_only_when_it_is_old(
    own_slapd: Slapd, company_with: MakeCompany
) -> None:
    company = company_with()
    visitor = company.visitor()
    visitor.sign_in("dora", PASSWORD)
    parts = company.parts
    with parts.database.reading() as session:
        person = parts.directories["corp"].find_by_name("dora")
        assert person
        signed_in = parts.sessions.list_for(person, datetime.now(UTC))[0]
        assert session
    assert not parts.sessions.is_stale(signed_in, signed_in.refreshed_at - timedelta(seconds=1))
