"""A database that is down: a clear page, a line in the log, and no restart when it is back."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from idp.audit.events import SignInRefused
from idp.audit.log import AuditLog, Origin
from idp.audit.verify import verify
from idp.db import schema
from idp.db.engine import Database
from tests.company import PASSWORD, make_company
from tests.conftest import require_program
from tests.servers.postgresql import PostgresServer, find_postgres

pytestmark = pytest.mark.xdist_group("heavy")

ROLE = "arn:aws:iam::111122223333:role/Developer"
HERE = Origin("192.0.2.1", "request-1")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of our own, for others could not do without it."""
    folder = find_postgres()
    if folder is None:
        require_program("PostgreSQL", "postgres")
        raise AssertionError("unreachable")
    with PostgresServer(folder) as started:
        started.create("ready")
        database = Database(started.url("ready"))
        schema.upgrade(database)
        database.close()
        yield started


def test_pages_say_so_and_recover_by_themselves(
    server: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    company = make_company(tmp_path, server.url(server.copy_of("ready")), datetime.now(UTC))
    stranger, bob = company.visitor(), company.signed_in("bob")
    assert bob.open_role(ROLE).status_code == 200
    assert stranger.get("/metadata").status_code == 200
    form = {"username": "ann", "password": PASSWORD, "csrf_token": stranger.form_token()}
    role = {"role": ROLE, "csrf_token": bob.form_token("/")}

    def everything() -> dict[str, TestResponse]:
        return {
            "sign-in": stranger.post("/sign-in", form),
            "portal": bob.get("/"),
            "role": bob.post("/aws", role),
            "metadata": stranger.get("/metadata"),
            "for admins": stranger.get("/for-admins"),
        }

    server.stop()
    try:
        for _ in range(2):
            down = everything()
            assert {name: page.status_code for name, page in down.items()} == dict.fromkeys(
                down, 503
            )
            for page in down.values():
                assert "The database does not answer" in page.text
                assert "127.0.0.1" not in page.text
                assert "SELECT" not in page.text
    finally:
        server.start()
    told = [each for each in caplog.records if each.message == "database unusable"]
    assert len(told) == 10
    assert all(each.levelno == logging.ERROR for each in told)
    assert any("refused" in str(vars(each)["reason"]) for each in told)
    up = everything()
    assert {name: page.status_code for name, page in up.items()} == {
        "sign-in": 303,
        "portal": 200,
        "role": 200,
        "metadata": 200,
        "for admins": 200,
    }
    company.parts.database.close()


def test_writers_who_wait_together_fail_together(server: PostgresServer) -> None:
    """One attempt to connect for the whole group, not one for each row."""
    database = Database(server.url(server.copy_of("ready")))
    log = AuditLog(database)
    tried: list[float] = []

    def count(*_: object) -> None:
        tried.append(time.monotonic())
        time.sleep(0.2)  # a server that is far off takes its time to be missed

    def record(number: int) -> None:
        log.record(SignInRefused(actor=f"local/{number}", reason="disabled"), HERE)

    record(0)
    server.stop()
    try:
        event.listen(database.engine, "do_connect", count)
        with ThreadPoolExecutor(8) as threads:
            outcomes = [threads.submit(record, number) for number in range(8)]
            problems = [each.exception(timeout=60) for each in outcomes]
        assert all(isinstance(each, OperationalError) for each in problems)
        assert 1 <= len(tried) <= 3
    finally:
        server.start()
    record(9)
    assert verify(database).rows == 2
    database.close()
