"""What load balancers and Prometheus ask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from idp.audit.log import Origin
from idp.directory.interface import Authentication, DirectoryUnavailable, MayTry, always
from idp.directory.person import Person
from idp.rotation.plan import make_plan
from idp.rotation.rotate import resume, rotate
from idp.rotation.surroundings import Surroundings
from idp.telemetry.readiness import KEPT_SECONDS, Readiness
from idp.web.health import READINESS
from tests.company import Company, make_company
from tests.operations.node import Node
from tests.rotation.direct_aws import DirectAws
from tests.servers.postgresql import PostgresServer

ROLE = "arn:aws:iam::111122223333:role/Developer"


@pytest.fixture
def company(tmp_path: Path, sqlite_url: str) -> Iterator[Company]:
    made = make_company(tmp_path, sqlite_url, datetime.now(UTC))
    yield made
    made.parts.database.close()


@dataclass
class Clock:
    time: float = 100.0

    def __call__(self) -> float:
        return self.time


@dataclass
class AwayDirectory:
    """A directory whose server does not answer."""

    name: str = "ldap"

    def authenticate(
        self, username: str, password: str, may_try: MayTry = always
    ) -> Authentication:
        raise DirectoryUnavailable(self.name, "ldap1.corp.example refused the connection")

    def find(self, directory_id: str) -> Person | None:
        raise DirectoryUnavailable(self.name, "ldap1.corp.example refused the connection")

    find_by_name = find


def numbers(page: str) -> dict[tuple[str, str], float]:
    """Each sample by its name and its labels' values."""
    return {
        (sample.name, " ".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_answers_by_address_whatever_the_host(company: Company, path: str) -> None:
    client = company.app.test_client()
    assert client.get(path, base_url="http://10.1.2.3:9999").status_code == 200
    assert client.get("/sign-in", base_url="http://10.1.2.3:9999").status_code == 400


def test_a_foreign_name_that_leads_here_reads_no_numbers(company: Company) -> None:
    client = company.app.test_client()
    assert client.get("/metrics", base_url="http://evil.example:8080").status_code == 404
    assert client.get("/metrics", base_url="http://localhost:8080").status_code == 200


def test_lives_without_a_database(company: Company, tmp_path: Path) -> None:
    company.parts.database.close()
    (tmp_path / "test.sqlite3").write_bytes(b"this is no database any more" * 100)
    client = company.app.test_client()
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["ready"] is False
    assert answer.json["parts"]["database"] == "failing"


def test_is_not_ready_on_another_schema(company: Company) -> None:
    with company.parts.database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    answer = company.app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["parts"]["database"] == "failing"


def test_is_not_ready_on_a_full_disk(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("idp.db.engine.LEAST_FREE", 2**62)
    answer = company.app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["parts"]["database"] == "failing"


def test_is_not_ready_on_a_standby(tmp_path: Path, postgres: PostgresServer) -> None:
    name = postgres.copy_of("ready")
    made = make_company(tmp_path, postgres.url(name), datetime.now(UTC))
    client = made.app.test_client()
    assert client.get("/readyz").status_code == 200
    with made.parts.database.engine.begin() as connection:
        change = f"ALTER DATABASE {name} SET default_transaction_read_only = on"
        connection.execute(text(change))
    made.parts.database.close()  # as after a failover
    made.app.extensions[READINESS]._report = None
    answer = client.get("/readyz")
    made.parts.database.close()
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["parts"]["database"] == "failing"


def test_is_not_ready_without_a_usable_key(company: Company) -> None:
    with company.parts.database.writing() as session:
        session.execute(text("UPDATE signing_keys SET state = 'revoked'"))
    company.parts.keys.__init__(company.parts.database, company.settings)  # type: ignore[misc]  # as after a start
    answer = company.app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "ready": False,
        "parts": {"database": "ok", "directories": "ok", "signing_key": "failing"},
    }


def test_tells_of_a_directory_without_its_host(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    away = {**company.parts.directories, "ldap": AwayDirectory()}
    company.app.extensions["idp.readiness"] = Readiness(
        company.parts.database, company.parts.keys, away
    )
    client = company.app.test_client()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["parts"]["directories"] == "failing"
    assert "corp.example" not in answer.text
    assert "ldap" not in answer.text
    assert any("ldap1.corp.example" in record.__dict__["reason"] for record in caplog.records)
    assert client.get("/readyz?exclude=directories").status_code == 200
    page = numbers(client.get("/metrics").text)
    assert page["idp_directory_up", "ldap"] == 0
    assert page["idp_directory_up", "local"] == 1


def test_looks_once_a_second_however_often_it_is_asked(company: Company) -> None:
    clock = Clock()
    parts = company.parts
    readiness = Readiness(parts.database, parts.keys, parts.directories, clock)
    assert readiness.report().by_kind()["database"]
    with parts.database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    clock.time += KEPT_SECONDS / 2
    assert readiness.report().by_kind()["database"]
    clock.time += KEPT_SECONDS
    assert not readiness.report().by_kind()["database"]


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"Via": "1.1 proxy"}],
)
def test_metrics_are_for_this_machine_alone(company: Company, headers: dict[str, str]) -> None:
    client = company.app.test_client()
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "::1"}).status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 404
    assert client.get("/metrics", headers=headers).status_code == 404


def test_metrics_can_be_off_or_public(tmp_path: Path, sqlite_url: str) -> None:
    made = make_company(tmp_path, sqlite_url, datetime.now(UTC), server={"metrics": "off"})
    assert made.app.test_client().get("/metrics").status_code == 404
    made.parts.database.close()


def test_a_forwarded_address_does_not_open_the_metrics(tmp_path: Path, sqlite_url: str) -> None:
    """A stranger behind a trusted proxy says that he is 127.0.0.1."""
    made = make_company(tmp_path, sqlite_url, datetime.now(UTC), server={"trusted_proxies": 1})
    client = made.app.test_client()
    stranger = {"X-Forwarded-For": "127.0.0.1"}
    for peer in ("127.0.0.1", "10.0.0.9"):
        answer = client.get("/metrics", headers=stranger, environ_base={"REMOTE_ADDR": peer})
        assert answer.status_code == 404
    made.parts.database.close()


def test_counts_what_happens_by_reason(company: Company) -> None:
    ann = company.signed_in("ann")
    assert ann.open_role("arn:aws:iam::111122223333:role/Administrator").status_code == 200
    assert ann.open_role("arn:aws:iam::111122223333:role/Nobody").status_code == 403
    assert company.visitor().sign_in("ann", "wrong").status_code == 401
    assert company.visitor().sign_in("nobody", "wrong").status_code == 401
    page = numbers(company.app.test_client().get("/metrics").text)
    assert page["idp_sign_ins_total", ""] == 1
    assert page["idp_sign_in_refusals_total", "wrong_password"] == 1
    assert page["idp_sign_in_refusals_total", "unknown_user"] == 1
    assert page["idp_assertions_total", ""] == 1
    assert page["idp_assertion_refusals_total", "RoleNotGranted"] == 1
    assert page["idp_assertion_seconds_count", ""] == 1
    assert page["idp_http_requests_total", "aws.open_role 200"] == 1
    assert page["idp_http_requests_total", "aws.open_role 403"] == 1
    assert page["idp_audit_head_seq", ""] == 5
    days = [value for (name, _), value in page.items() if name.endswith("certificate_days_left")]
    assert days == [pytest.approx(30, abs=0.1)]


def test_tells_of_a_rotation_under_way(company: Company) -> None:
    client = company.app.test_client()
    quiet = numbers(client.get("/metrics").text)
    assert quiet["idp_rotation_needs_attention", ""] == 0
    assert not [labels for name, labels in quiet if name == "idp_rotation_open"]
    own, direct = company.parts, DirectAws(company.parts.now)
    with own.database.reading() as session:
        plan = make_plan(session, own.settings, own.now())
    direct.refusing = {account.number for account in plan.accounts[:1]}
    around = Surroundings(
        database=own.database,
        settings=own.settings,
        audit=own.audit,
        aws=direct,
        actor="cli/test",
        origin=Origin("test", "0"),
    )
    rotate(around, plan)
    page = numbers(client.get("/metrics").text)
    assert page["idp_rotation_open", "distributing"] == 1
    assert page["idp_rotation_accounts", "failed"] == 1
    assert page["idp_rotation_needs_attention", ""] == 1
    direct.refusing = set()
    resume(around)
    page = numbers(client.get("/metrics").text)
    assert page["idp_rotation_open", "overlap"] == 1
    assert page["idp_rotation_accounts", "holds"] == len(plan.accounts)
    assert page["idp_rotation_needs_attention", ""] == 0


@pytest.mark.xdist_group("heavy")
def test_adds_up_the_numbers_of_all_workers(node: Node) -> None:
    """The people are answered by any worker, and the workers are killed in between."""
    for round_number in range(2):
        for _ in range(6):
            assert node.browser().sign_in("bob").status == 303
        if round_number == 0:
            for worker in node.workers():
                os.kill(worker, 9)
            node.wait_for_log("Unexpected exit")
    pages = [numbers(node.browser().get("/metrics").text) for _ in range(6)]
    assert {page["idp_sign_ins_total", ""] for page in pages} == {12}
    assert {page["idp_http_requests_total", "sign_in.submit 303"] for page in pages} == {12}


@pytest.mark.xdist_group("heavy")
def test_numbers_begin_at_zero_with_each_start(node: Node) -> None:
    node.browser().sign_in("bob")
    node.stop()
    node.start()
    assert numbers(node.browser().get("/metrics").text)["idp_sign_ins_total", ""] == 0
