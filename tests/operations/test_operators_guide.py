"""docs/operations.md and the deployment examples do what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from idp.settings import Settings, load_settings
from tests.conftest import require_program
from tests.operations.node import PROJECT, Node

pytestmark = pytest.mark.xdist_group("heavy")

GUIDE = (PROJECT / "docs" / "operations.md").read_text()
DEPLOY = PROJECT / "docs" / "deploy"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


def test_each_command_runs_as_written(tmp_path: Path) -> None:
    node = Node(tmp_path / "node", settings={"keys": {"folder": str(tmp_path / "certs")}})
    (tmp_path / "backup").mkdir()
    ran = []
    for line in "".join(blocks("sh")).splitlines():
        if line.startswith("idp "):
            written = line.removeprefix("idp ").replace("/backup/", f"{tmp_path}/backup/")
            done = node.command(*written.split())
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
            ran.append(line)
    assert "idp db restore --force /backup/idp-monday.backup" in ran
    node.start()
    try:
        for line in "".join(blocks("sh")).splitlines():
            if line.startswith("curl "):
                address = line.split()[-1].replace("127.0.0.1:8080", f"127.0.0.1:{node.port}")
                assert node.browser().get(address.partition(str(node.port))[2]).status == 200
    finally:
        node.stop()


@pytest.mark.parametrize("number", range(len(blocks("toml"))))
def test_each_settings_example_is_valid(number: int, tmp_path: Path) -> None:
    file = tmp_path / "idp.toml"
    file.write_text(blocks("toml")[number])
    assert load_settings(file) != Settings()


def test_each_metric_of_the_guide_is_there(node: Node) -> None:
    bob = node.browser()
    bob.sign_in("bob", "wrong")
    bob.sign_in("bob")
    role = "arn:aws:iam::111122223333:role"
    token = bob.token("/")
    bob.open_role(f"{role}/Developer", token)
    bob.open_role(f"{role}/Nobody", token)
    page = node.browser().get("/metrics").text
    table = [line for line in GUIDE.splitlines() if line.startswith("| `idp_")]
    names = re.findall(r"`(idp_\w+)", "".join(table))
    assert len(names) > 8
    only_meanwhile = {"idp_rotation_open", "idp_rotation_accounts"}  # values while one is open
    for name in names:
        described = rf"# HELP {name} " if name in only_meanwhile else rf"{name}(_count)?[ {{]"
        assert re.search(f"^{described}", page, re.MULTILINE), name


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "idp.service").read_text()
    assert "KillMode=mixed" in unit  # else systemd would signal the workers too
    program = shutil.which("systemd-analyze")
    if program is None:
        require_program("systemd-analyze", "systemd-analyze")
        raise AssertionError("unreachable")
    file = tmp_path / "idp.service"
    file.write_text(
        unit.replace("/opt/idp/.venv/bin/idp", "/bin/true").replace("=idp\n", "=daemon\n")
    )
    done = subprocess.run([program, "verify", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "idp.service" in line]
    assert said == []


def test_the_container_copies_what_is_there() -> None:
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for name in line.split()[1:-1]:
                assert (PROJECT / name).exists(), name
    assert "USER 10001" in lines


def test_settings_of_the_guide_name_the_folder_that_the_unit_lets_us_write() -> None:
    settings = tomllib.loads(blocks("toml")[0])
    assert f"ReadWritePaths={settings['data_folder']}" in (DEPLOY / "idp.service").read_text()
