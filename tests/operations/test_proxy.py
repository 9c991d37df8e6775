"""Behind nginx: the visitor's address, the scheme, the host and a sub-path; strangers' claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import require_program
from tests.operations.nginx import Nginx
from tests.operations.node import Browser, Node
from tests.operations.trail import chain
from tests.servers.postgresql import free_port

pytestmark = pytest.mark.xdist_group("heavy")

_SITE = """
server {{
  listen 127.0.0.1:{port};
  location {path}/ {{
    proxy_pass http://127.0.0.1:{node}{onto};
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto https;
    proxy_set_header X-Forwarded-Host $http_host;
  }}
}}
"""


@pytest.mark.parametrize("cuts_the_path_off", [False, True])
def test_serves_below_a_path_behind_a_proxy_that_does_tls(
    tmp_path: Path, settings: dict[str, Any], sqlite_url: str, cuts_the_path_off: bool
) -> None:
    program = require_program("nginx", "nginx", "/usr/sbin/nginx")
    settings["server"] = {"trusted_proxies": 1}
    public = "https://www.example.com/idp"
    port = free_port()
    visitor = Browser(public, ("127.0.0.1", port))
    with Node(tmp_path / "node", settings=settings, base_url=public) as node:
        onto = "/" if cuts_the_path_off else ""
        site = _SITE.format(port=port, path="/idp", node=node.port, onto=onto)
        with Nginx(program, tmp_path / "nginx", site, visitor):
            page = visitor.get("/idp/sign-in")
            assert 'action="/idp/sign-in"' in page.text
            assert 'href="/idp/static/' in page.text
            token = visitor.token("/idp/sign-in")
            form = {"username": "ann", "password": "wrong", "csrf_token": token}
            assert visitor.request("POST", "/idp/sign-in", form).status == 401
            forged = visitor.request(
                "POST", "/idp/sign-in", form, {"X-Forwarded-For": "198.51.100.7"}
            )
            assert forged.status == 401
            assert visitor.get("/idp/healthz").status == 200
            assert visitor.get("/idp/metrics").status == 404
            assert node.browser().get("/metrics").status == 200
    refusals = [row for row in chain(sqlite_url) if row.type == "sign_in.refused"]
    assert [row.address for row in refusals] == ["127.0.0.1", "127.0.0.1"]


def test_trusts_no_proxy_unless_told(node: Node, sqlite_url: str) -> None:
    """Whoever reaches the port can write these headers."""
    visitor = node.browser()
    form = {"username": "ann", "password": "wrong", "csrf_token": visitor.token()}
    claims = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
    assert visitor.request("POST", "/sign-in", form, claims).status == 401
    assert visitor.get("/sign-in", **{"X-Forwarded-Host": "evil.example"}).status == 200
    assert (
        "evil.example" not in visitor.get("/sign-in", **{"X-Forwarded-Host": "evil.example"}).text
    )
    (row,) = [row for row in chain(sqlite_url) if row.type == "sign_in.refused"]
    assert row.address == "127.0.0.1"


def test_takes_the_address_from_the_trusted_number_of_proxies(
    tmp_path: Path, settings: dict[str, Any], sqlite_url: str
) -> None:
    settings["server"] = {"trusted_proxies": 1}
    with Node(tmp_path / "node", settings=settings) as node:
        visitor = node.browser()
        form = {"username": "ann", "password": "wrong", "csrf_token": visitor.token()}
        chain_of_two = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}
        assert visitor.request("POST", "/sign-in", form, chain_of_two).status == 401
    (row,) = [row for row in chain(sqlite_url) if row.type == "sign_in.refused"]
    assert row.address == "203.0.113.9"  # what our own proxy added; the first is the client's claim
