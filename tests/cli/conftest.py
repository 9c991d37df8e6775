"""The idp command, run as a program in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def command_in(folder: Path) -> Run:
    """Runs `idp WORDS` in the folder; keyword arguments are environment variables."""

    def run(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("IDP_")}
        return subprocess.run(
            [sys.executable, "-m", "idp", *words],
            cwd=folder,
            env=kept | {"COLUMNS": "120"} | environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.fixture
def idp(tmp_path: Path) -> Run:
    """The command in an empty folder."""
    return command_in(tmp_path)


@pytest.fixture(scope="session")
def ready_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database and a signing key, for tests that change nothing there."""
    folder = tmp_path_factory.mktemp("ready")
    command = command_in(folder)
    for words in (("db", "upgrade"), ("certs", "generate")):
        done = command(*words)
        assert done.returncode == 0, done.stderr
    return folder
