"""docs/openldap.md, run as written; and the page of errors says what the code says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.settings import load_settings
from tests.conftest import require_program
from tests.servers.demonstration import ROOT
from tests.servers.slapd import ROOT_DN, ROOT_PASSWORD, SUFFIX, Slapd

pytestmark = pytest.mark.xdist_group("heavy")

PAGE = (ROOT / "docs" / "openldap.md").read_text()
ERRORS = (ROOT / "docs" / "directory-errors.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def company_server() -> Iterator[Slapd]:
    with Slapd() as server:
        server.seed()
        server.add_group("developers", server.add_person("ann", "Ann Archer"))
        yield server


def test_five_steps_lead_to_roles(company_server: Slapd, tmp_path: Path) -> None:
    require_program("ldapadd", "ldapadd")

    def own(text: str) -> str:
        """The page's example names, as they are here."""
        return (
            text.replace("cn=admin,dc=example,dc=com", ROOT_DN)
            .replace("dc=example,dc=com", SUFFIX)
            .replace("ldap://127.0.0.1", f"ldap://127.0.0.1:{company_server.port}")
            .replace(
                '["ldap1.example.com", "ldap2.example.com"]',
                f'["localhost:{company_server.tls_port}"]',
            )
        )

    (tmp_path / "admin-password").write_text(ROOT_PASSWORD)
    (tmp_path / "ldap-ca.pem").write_bytes(company_server.ca_file.read_bytes())
    (tmp_path / "idp-account.ldif").write_text(own(_blocks("ldif")[0]))
    settings, rules = map(own, _blocks("toml"))
    (tmp_path / "idp.toml").write_text(settings)
    (tmp_path / "roles.toml").write_text(rules)

    def run(line: str) -> str:
        command = own(line)
        if line.startswith("idp "):
            command = f"{shlex.quote(sys.executable)} -m {command}"
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        expected = (0, 1) if line == "idp check" else (0,)  # a server that has no key yet
        assert done.returncode in expected, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    run("idp db upgrade")
    run("idp aws account add 111122223333 --alias dev --provider ExampleIdP")
    said = {}
    for line in "".join(_blocks("sh")).splitlines():
        said[line] = run(line + (" --yes" if line.startswith("idp roles apply") else ""))
    assert "✘ directory" not in said["idp check"]
    assert "✘" not in said["idp directory check corp"]
    assert "group: developers (direct)" in said["idp directory show ann"]
    assert "Developer" in said["idp roles explain ann"]


def test_the_settings_of_the_page_are_valid(tmp_path: Path) -> None:
    file = tmp_path / "idp.toml"
    file.write_text(_blocks("toml")[0])
    assert [each.kind for each in load_settings(file).directories] == ["ldap", "local"]


def test_the_page_of_errors_has_every_line_of_the_log_and_every_reason() -> None:
    folder = ROOT / "idp" / "directory" / "ldap"
    code = "".join(path.read_text() for path in folder.glob("*.py"))
    lines = re.findall(r'(?:log\.(?:error|warning)|self\._log)\(\s*"([^"]+)"', code)
    assert len(lines) > 5
    for line in lines:
        if line not in ("an entry came that has another name", "a bind got no usable answer"):
            assert f"| `{line}` |" in ERRORS, line
    for reason in re.findall(r'(?:None, |: )"([a-z]+_?[a-z]+)"[,)}]', code):
        if "_" in reason and reason not in ("given_name", "display_name"):
            assert reason in ERRORS, reason
