"""The commands of docs/audit.md, run as they are written."""

from __future__ import annotations

import re

from tests.cli.conftest import Run
from tests.servers.demonstration import ROOT


def test_every_command_of_the_page_works_as_written(idp: Run) -> None:
    idp("db", "upgrade")
    idp("certs", "generate")
    idp("user", "add", "ann", "--no-password")
    page = (ROOT / "docs" / "audit.md").read_text()
    commands = [
        line.split()[1:]
        for block in re.findall(r"```\n(.*?)```", page, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(commands) >= 6
    for words in commands:
        done = idp(*words)
        nothing_found = words[1] == "search" and done.returncode == 1
        assert done.returncode == 0 or nothing_found, (words, done.stderr)
        assert "Traceback" not in done.stderr
    told = idp("audit", "tail").stdout
    assert "ann" in told
