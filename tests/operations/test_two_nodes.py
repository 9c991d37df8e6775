"""Two nodes, PostgreSQL and nginx as the documentation sets them up, and one node killed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.operations.certificates import make_pair, trusting
from tests.operations.conftest import company_settings
from tests.operations.load import Load
from tests.operations.nginx import Nginx
from tests.operations.node import PATIENCE, PROJECT, Answer, Browser, Node
from tests.operations.trail import assert_whole, chain
from tests.servers.postgresql import PostgresServer, free_port

pytestmark = pytest.mark.xdist_group("heavy")

SITE = "https://idp.example.com"
ROLE = "arn:aws:iam::111122223333:role/Developer"


def site(port: int, certificate: Path, key: Path, *nodes: int) -> str:
    """docs/deploy/nginx.conf with our addresses and files in the place of its examples."""
    text = (PROJECT / "docs" / "deploy" / "nginx.conf").read_text()
    for pattern, ours in (
        (r"10\.0\.0\.11:8080", f"127.0.0.1:{nodes[0]}"),
        (r"10\.0\.0\.12:8080", f"127.0.0.1:{nodes[1]}"),
        (r"listen 80;", f"listen 127.0.0.1:{free_port()};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        (r"/etc/ssl/idp/fullchain\.pem", str(certificate)),
        (r"/etc/ssl/idp/privkey\.pem", str(key)),
    ):
        text, found = re.subn(pattern, ours, text)
        assert found == 1, pattern
    return text


def test_a_killed_node_costs_nobody_a_request_or_a_sign_in(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    nginx = require_program("nginx", "nginx", "/usr/sbin/nginx")
    database_url = postgres.url(postgres.copy_of("ready"))
    settings = company_settings(tmp_path, database_url)
    settings["server"] = {"trusted_proxies": 1}
    certificate, key = make_pair(tmp_path / "tls")
    tls, port = trusting(certificate), free_port()

    def visitor() -> Browser:
        return Browser(SITE, ("127.0.0.1", port), tls=tls)

    first = Node(tmp_path / "first", settings=settings, base_url=SITE)
    second = Node(tmp_path / "second", settings=settings, base_url=SITE)
    configuration = site(port, certificate, key, first.port, second.port)
    with first, second, Nginx(nginx, tmp_path / "nginx", configuration, visitor()):
        on_first = first.browser()
        assert on_first.sign_in("bob").status == 303
        on_second = second.browser()
        on_second.cookies = on_first.cookies
        assert "Developer" in on_second.get("/").text

        people = [visitor() for _ in range(3)]
        for person in people:
            assert person.sign_in("bob").status == 303
        with Load(*[opening(person) for person in people]) as load:
            load.wait_for(30)
            first.kill(workers_too=True)
            load.wait_for(60)
            first.start()
            wait_until_it_serves(first)
            second.kill(workers_too=True)
            load.wait_for(60)
        assert load.failures == []
        assert {answer.status for answer in load.answers} == {200}
        assert visitor().get("/metrics").status == 404
        assert visitor().get("/readyz").status == 404
    rows = chain(database_url)
    assert_whole(rows)
    written = {row.assertion_id for row in rows}
    shown = {answer.assertion_id for answer in load.answers}
    assert "" not in shown
    assert shown <= written
    assert sum(row.type == "sign_in.succeeded" for row in rows) == 1 + len(people)


def wait_until_it_serves(node: Node) -> None:
    """nginx gives a node that failed another try after a second."""
    before = len(node.log_file.read_text())
    deadline = time.monotonic() + PATIENCE
    while '"path": "/aws"' not in node.log_file.read_text()[before:]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def opening(person: Browser) -> Callable[[], Answer]:
    token = person.token("/")
    return lambda: person.open_role(ROLE, token)
