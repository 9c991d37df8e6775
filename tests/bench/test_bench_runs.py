"""The bench, on a small scale: every row is there, with a figure that can be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import require_program

pytestmark = pytest.mark.xdist_group("heavy")

ROOT = Path(__file__).parents[2]
ALONE = ["rsa-1", "rsa-all", "rsa-library", "argon2-1", "argon2-all"]
ALONE += [
    f"{what}-{custody}" for what in ("sign", "engine") for custody in ("file", "pkcs11", "kms")
]
ALONE += ["ldap-sign-in", "ldap-server-stopped", "role-plan"]
ON_A_DATABASE = [
    "start",
    "memory-idle",
    "memory-loaded",
    "warm-1",
    "warm-8",
    "warm-32",
    "sign-in",
]


def test_measures_everything_it_names(tmp_path: Path) -> None:
    for program in ("wrk", "openssl", "softhsm2-util"):
        require_program(program, program)
    require_program("slapd", "slapd", "/usr/sbin/slapd")
    names = {("", key) for key in ALONE} | {("sqlite", key) for key in ON_A_DATABASE}
    sections = "raw,engine,http,sign-in,ldap,plan,memory,start"
    check(tmp_path / "report.json", names, "--database", "sqlite", "--only", sections)


def check(report: Path, names: set[tuple[str, str]], *options: str) -> None:
    """Run the benchmark briefly; everything of `names` and nothing else is measured and told."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--json", str(report), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    document = json.loads(report.read_text())
    rows = {(row["database"], row["key"]): row for row in document["rows"]}
    assert set(rows) == names
    for (_, key), row in rows.items():
        assert row["value"] > 0, row
        if row["ratio_to"]:
            assert 0 < row["ratio"] < 5, row
        if key.startswith(("warm", "scale", "sign-in", "ldap-sign-in")):
            assert 0 < row["p50_ms"] <= row["p99_ms"], row
        if key.startswith("memory"):
            assert 20 < row["value"] < 2000, row
        for verdict in row["verdicts"]:
            assert verdict["met"] == (
                verdict["measured"] >= verdict["target"]
                if verdict["at_least"]
                else verdict["measured"] <= verdict["target"]
            )
        assert row["title"] in done.stdout
    for key, what in (
        ("warm-8", "of all cores"),
        ("warm-8", "p99, ms"),
        ("memory-loaded", "MB"),
        ("start", "s"),
    ):
        held = [row["verdicts"] for (_, name), row in rows.items() if name == key]
        assert all(any(verdict["what"] == what for verdict in each) for each in held)
        assert held or len(names) < len(ALONE)
    assert document["machine"]["cores"] >= 1
