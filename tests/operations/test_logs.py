"""The log: one line for a request, an accident with its traceback, and never a secret."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from idp.settings import LogSettings
from idp.telemetry.logs import field_formatter, logging_config
from tests.company import PASSWORD, Company, make_company
from tests.operations.node import Node

ROLE = "arn:aws:iam::111122223333:role/Developer"


@pytest.fixture
def company(tmp_path: Path, sqlite_url: str) -> Iterator[Company]:
    made = make_company(tmp_path, sqlite_url, datetime.now(UTC))
    yield made
    made.parts.database.close()


@contextmanager
def written(kind: str = "json", level: str = "INFO") -> Iterator[io.StringIO]:
    """What our loggers write while the block runs."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(field_formatter(kind))
    logger = logging.getLogger("idp")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield stream
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_line_for_each_request(company: Company) -> None:
    with written() as stream:
        answer = company.visitor().get("/sign-in?next=/aws&SAMLRequest=c2VjcmV0")
    (line,) = lines(stream)
    assert line["event"] == "request"
    assert line["method"] == "GET"
    assert line["path"] == "/sign-in"
    assert line["query"] == ["SAMLRequest", "next"]
    assert line["status"] == 200
    assert line["address"] == "127.0.0.1"
    assert line["milliseconds"] > 0
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert "c2VjcmV0" not in stream.getvalue()


def test_probes_are_lines_for_debugging_only(company: Company) -> None:
    with written() as stream:
        company.visitor().get("/healthz")
    assert stream.getvalue() == ""
    with written(level="DEBUG") as stream:
        company.visitor().get("/healthz")
    assert lines(stream)[0]["path"] == "/healthz"


def test_one_identifier_joins_log_page_header_and_audit_row(company: Company) -> None:
    bob = company.signed_in("bob")
    with written() as stream:
        page = bob.open_role("arn:aws:iam::111122223333:role/Administrator")
    reference = page.headers["X-Request-ID"]
    assert reference in page.text
    refusal = next(line for line in lines(stream) if line["event"] == "assertion.refused")
    assert refusal["reason"] == "RoleNotGranted"
    assert refusal["request_id"] == reference
    with company.parts.database.reading() as session:
        query = "SELECT request_id FROM audit_events ORDER BY seq DESC LIMIT 1"
        assert session.connection().exec_driver_sql(query).scalar() == reference


@pytest.mark.parametrize("kind", ["json", "console"])
def test_an_accident_has_its_traceback_in_the_log_alone(company: Company, kind: str) -> None:
    def fail() -> str:
        raise RuntimeError("the cat sat on the keyboard")

    company.app._got_first_request = False  # the test adds a page to a running application
    company.app.add_url_rule("/accident", view_func=fail)
    with written(kind) as stream:
        page = company.visitor().get("/accident")
    assert page.status_code == 500
    assert "keyboard" not in page.text
    assert "Traceback" in stream.getvalue()
    assert "the cat sat on the keyboard" in stream.getvalue()
    assert page.headers["X-Request-ID"] in stream.getvalue()


@pytest.mark.parametrize("kind", ["json", "console"])
def test_a_request_can_not_forge_a_line(company: Company, kind: str) -> None:
    with written(kind) as stream:
        company.visitor().get("/x%0a%1b[2Jforged%e2%80%ae?a%0ab=1")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_granian_and_our_own_lines_share_one_configuration(level: str) -> None:
    config = logging_config(LogSettings.model_validate({"level": level, "format": "json"}))
    assert config["loggers"]["idp"]["level"] == level.upper()
    assert config["loggers"]["_granian"]["propagate"] is True


@pytest.mark.xdist_group("heavy")
@pytest.mark.parametrize("level", ["debug"])
def test_no_secret_is_ever_written(tmp_path: Path, settings: dict[str, Any], level: str) -> None:
    """A whole visit at the most talkative level: no password, cookie, token or assertion."""
    with Node(tmp_path / "node", settings={**settings, "log": {"level": level}}) as node:
        bob = node.browser()
        assert bob.sign_in("bob", "my-wrong-password-1").status == 401
        assert bob.sign_in(PASSWORD, "typed-into-the-wrong-field").status == 401
        assert bob.sign_in("bob").status == 303
        token = bob.token("/")
        page = bob.open_role(ROLE, token)
        assert page.status == 200
        bob.get("/sign-in?password=in-the-query-1&SAMLResponse=in-the-query-2")
        bob.request("POST", "/sign-in", {"password": "without-a-token"})
        bob.request("POST", "/sign-out", {"csrf_token": token})
        node.stop()
        log = node.log_file.read_text()
        assert len(node.log()) > 10
    response = re.search(r'name="SAMLResponse" value="([^"]+)"', page.text)
    assert response
    secrets = [PASSWORD, "my-wrong-password-1", "typed-into", "in-the-query", "without-a-token"]
    secrets += [token, response[1][:40], *bob.cookies.values()]
    for secret in secrets:
        assert secret == "" or secret not in log, secret
