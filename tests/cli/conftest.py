"""The idp command, run as a program in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def idp(tmp_path: Path) -> Run:
    """Run `idp WORDS` in an empty folder; keyword arguments are environment variables."""

    def run(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("IDP_")}
        return subprocess.run(
            [sys.executable, "-m", "idp", *words],
            cwd=tmp_path,
            env=kept | {"COLUMNS": "120"} | environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run
