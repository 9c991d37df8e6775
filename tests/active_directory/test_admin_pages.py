"""docs/active-directory.md and docs/kerberos.md, followed to the letter where Samba can."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w

from idp.directory.active_directory.refusals import REASONS
from tests.active_directory.corp import READER
from tests.conftest import require_program
from tests.servers.demonstration import ROOT
from tests.servers.samba import PASSWORD, Controller

pytestmark = pytest.mark.xdist_group("ad")

DIRECTORY = (ROOT / "docs" / "active-directory.md").read_text()
KERBEROS = (ROOT / "docs" / "kerberos.md").read_text()
# What needs the domain's DNS, or the packages of a machine.
NOT_HERE = ("host -t SRV", "apt install", "make kerberos")

Run = Callable[[str], str]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


@pytest.fixture
def own(controller: Controller, tmp_path: Path) -> Callable[[str], str]:
    """The page's example names, as they are here."""
    (tmp_path / "etc").mkdir()

    def here(text: str) -> str:
        for theirs, ours in (
            ("dc1.corp.example", controller.address),
            ("corp.example", "corp.test"),
            ("CORP.EXAMPLE", "CORP.TEST"),
            ("DC=corp,DC=example", "DC=corp,DC=test"),
            ("/etc/idp", str(tmp_path / "etc")),
            ("-o idp -g idp", "-o root -g root"),
            ("svc-idp", "svc-page"),
            ("/var/lib/samba/private", str(controller.folder / "private")),
        ):
            text = text.replace(theirs, ours)
        return text

    return here


@pytest.fixture
def run(controller: Controller, tmp_path: Path, own: Callable[[str], str]) -> Run:
    """Run a line of the page; what is typed is the reading account's password."""
    samba = f"--configfile={controller.folder / 'smb.conf'}"

    def run_line(line: str) -> str:
        command = own(line)
        if line.startswith("idp "):
            command = f"{shlex.quote(sys.executable)} -m {command}"
        if line.startswith("samba-tool "):
            command = f"{command} {shlex.quote(samba)}"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            input=f"{PASSWORD}\n",
            capture_output=True,
            text=True,
            timeout=60,
        )
        allowed = (0, 1) if line.startswith(("idp check", "idp audit search")) else (0,)
        assert done.returncode in allowed, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    return run_line


def followed(page: str, run: Run) -> dict[str, str]:
    """What each command of the page says."""
    lines = "".join(blocks(page, "sh")).splitlines()
    assert lines
    return {line: run(line) for line in lines if not line.startswith(NOT_HERE)}


@pytest.fixture
def settings(controller: Controller, own: Callable[[str], str], tmp_path: Path) -> str:
    """Those of the first page, with the controller that no DNS knows."""
    (tmp_path / "etc" / "corp-ca.pem").write_bytes(controller.authority.file.read_bytes())
    (written,) = map(own, blocks(DIRECTORY, "toml"))
    servers = f'\nservers = ["{controller.address}"]\n'
    text = written.replace('\nkind = "active_directory"\n', f'\nkind = "active_directory"{servers}')
    assert text != written
    return text


def test_ten_steps_lead_to_somebody_of_the_domain(settings: str, run: Run, tmp_path: Path) -> None:
    require_program("openssl", "openssl")
    steps = re.findall(r"^\*\*(\d+)\. ", DIRECTORY, re.MULTILINE)
    assert steps == [str(number) for number in range(1, 11)]
    assert READER in DIRECTORY
    (tmp_path / "idp.toml").write_text(settings)
    run("idp db upgrade")
    said = followed(DIRECTORY, run)
    assert (tmp_path / "etc" / "corp-password").stat().st_mode & 0o777 == 0o600
    (verified,) = (text for line, text in said.items() if line.startswith("openssl"))
    assert "0 (ok)" in verified
    assert "✘" not in said["idp directory check corp"]
    assert "AWS-outer (inherited: " in said["idp directory show 'CORP\\ann'"]
    in_text = re.findall(r"`(idp [^`]+)`", DIRECTORY)
    assert "idp audit search --type sign_in.refused" in in_text
    for command in in_text:
        run(command)


def test_spn_and_keytab_are_made_as_the_page_says(
    settings: str, run: Run, own: Callable[[str], str], tmp_path: Path
) -> None:
    secret = tmp_path / "etc" / "corp-password"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD)
    (kerberos,) = map(own, blocks(KERBEROS, "toml"))
    server = tomli_w.dumps({"server": {"base_url": "https://idp.corp.test", "trusted_proxies": 1}})
    (tmp_path / "aes.ldif").write_text(own(blocks(KERBEROS, "ldif")[0]))
    followed(KERBEROS, run)
    keytab = tmp_path / "etc" / "idp.keytab"
    assert keytab.stat().st_mode & 0o777 == 0o600
    (tmp_path / "idp.toml").write_text(settings + kerberos + server)
    run("idp db upgrade")
    said = run("idp check")
    assert f"✔ kerberos: {keytab} has a key of HTTP/idp.corp.test@CORP.TEST" in said


def test_every_reason_of_a_refused_sign_in_is_explained() -> None:
    table = re.findall(r"^\| `(\w+)`(?: \*)? \| ([0-9a-f]{3}) \|", DIRECTORY, re.MULTILINE)
    assert len(table) == len(REASONS)
    for reason, code in table:
        assert REASONS[code] == reason
    source = "".join(path.read_text() for path in (ROOT / "idp").rglob("*.py"))
    reasons = set(re.findall(r'"(kerberos_[a-z_]+)"', source))
    assert len(reasons) > 5
    for reason in reasons:
        assert f"`{reason}`" in KERBEROS, reason
