"""The page on rotating keys, followed to the letter against a sandbox."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from idp.audit.words import SENTENCES
from idp.sso.probe import PROBE_NAME
from tests.conftest import require_program

pytestmark = pytest.mark.xdist_group("heavy")

PAGE = (Path(__file__).parents[2] / "docs" / "key-rotation.md").read_text()
OVERLAP_ENDS = "idp certs rotate --resume ||"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_runbook_works_as_written(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    sandbox, *steps = blocks("sh")
    [waits] = [number for number, step in enumerate(steps) if step.startswith(OVERLAP_ENDS)]
    first, second = "".join(steps[: waits + 1]), "".join(steps[waits:])
    # The sandbox forgets everything when it ends, so it goes on through both halves.
    wait = f"until (: < /dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.1; done\n"
    start, _, rest = sandbox.partition("\n")
    script = f"set -eu -o pipefail\n{start}\ntrap 'kill $!' EXIT\n{wait}{rest}{first}"
    over = (
        f"{sys.executable} - <<'END'\nimport glob, sqlite3\n"
        "with sqlite3.connect(glob.glob('var/*.sqlite3')[0]) as database:\n"
        "    past = '2000-01-01 00:00:00.000000'\n"
        "    database.execute('UPDATE rotations SET overlap_until = ?', [past])\n"
        "END\n"
    )
    done = run(script + "echo HALF\n" + over + second, tmp_path, port)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "Traceback" not in output
    before, after = done.stdout.split("HALF\n")
    assert "Publish 2 certificates" in before
    assert re.search(r"^dev +111122223333 +proved", before, re.MULTILINE)
    assert "stays published until" in before
    assert "The overlap is not over" in before
    assert re.search(r"^Done: key \w+ signs", after, re.MULTILINE)
    assert "An account failed." in after
    assert "no profile of that name" in after
    assert "Gone back" in after
    assert re.search(r"^prod +222233334444 +EXCLUDED", after, re.MULTILINE)
    assert "nobody can sign in there" in done.stderr
    assert after.rstrip().splitlines()[-1].startswith("prod\t222233334444\tupdated")
    [database] = tmp_path.glob("var/*.sqlite3")
    with sqlite3.connect(database) as opened:
        states = [row[0] for row in opened.execute("SELECT state FROM signing_keys")]
    opened.close()
    assert sorted(states) == ["active", "retired", "retired", "retiring"]


def run(script: str, folder: Path, port: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("IDP_", "AWS_"))
    }
    environment = {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return subprocess.run(
        ["bash", "-c", script.replace("8081", port)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def test_the_probe_is_named_as_cloudtrail_shows_it() -> None:
    assert f"in CloudTrail its name is\n`{PROBE_NAME}`" in PAGE


def test_every_event_of_the_page_is_one() -> None:
    table = PAGE.partition("| In the audit trail |")[2]
    named = re.findall(r"`((?:rotation|key|assertion)\.\w+)`", table)
    assert len(named) > 8
    assert set(named) <= set(SENTENCES)
    assert {kind for kind in SENTENCES if kind.startswith("rotation.")} <= set(named)


def test_systemd_accepts_service_and_timer(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        require_program("systemd-analyze", "systemd-analyze")
        raise AssertionError("unreachable")
    service, timer = blocks("ini")
    service = service.replace("/opt/idp/.venv/bin/idp", "/bin/true").replace("=idp\n", "=daemon\n")
    (tmp_path / "idp-rotate.service").write_text(service)
    (tmp_path / "idp-rotate.timer").write_text(timer)
    files = [str(tmp_path / f"idp-rotate.{kind}") for kind in ("service", "timer")]
    done = subprocess.run([program, "verify", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "idp-rotate" in line] == []
