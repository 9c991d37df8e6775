"""make run DIRECTORY=ldap: the demonstration's people in a server of its own."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest

from idp.demo.slapd import find_program
from idp.errors import IdpError
from tests.conftest import require_program
from tests.servers.demonstration import ROOT, Demonstration

pytestmark = pytest.mark.xdist_group("heavy")


def _first_page(port: int, username: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    cookies: dict[str, str] = {}

    def ask(method: str, path: str, body: str | None = None) -> tuple[str, str]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = line.split(";", 1)[0].partition("=")
            cookies[name] = value
        return answer.read().decode(), answer.headers["Location"] or ""

    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', ask("GET", "/sign-in")[0])
    assert token
    form = {
        "username": username,
        "password": f"demo-password-{username}",
        "csrf_token": token[1],
    }
    _, onward = ask("POST", "/sign-in", urlencode(form))
    page = ask("GET", onward)[0]
    connection.close()
    return page


def test_people_sign_in_from_ldap_and_get_the_roles_of_their_groups(tmp_path: Path) -> None:
    require_program("slapd", "slapd", "/usr/sbin/slapd")
    with Demonstration(tmp_path, "ldap") as demonstration:
        page = _first_page(demonstration.port, "ann")
        assert "Administrator" in page, "by the group platform, which ann is in by another"
        assert "Auditor" in page, "by the name of a group"
        assert "Administrator" not in _first_page(demonstration.port, "cleo")
        ldap = demonstration.ldap_port
        assert demonstration.answers_tcp(ldap)
        settings, rules = tmp_path / "data/with-ldap/idp.toml", tmp_path / "roles.toml"
        command = [sys.executable, "-m", "idp", "-c", str(settings), "roles"]
        for words in (("export", str(rules)), ("plan", str(rules))):
            done = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        assert "Plan: no changes." in done.stdout
    assert not demonstration.answers_tcp(ldap), "it ends with the demonstration"


def test_without_slapd_the_refusal_says_what_to_do() -> None:
    with pytest.raises(IdpError) as refusal:
        find_program("slapd-of-another-machine")
    assert "apt install slapd" in refusal.value.advice
    assert "make run" in refusal.value.advice
