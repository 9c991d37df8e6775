"""The command in an empty folder, and the company for its pages and dry runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.company import Company, make_company
from tests.preflight.command import Command


@pytest.fixture
def preflight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`idp aws preflight` in a folder without settings or database."""
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path)


@pytest.fixture
def company(tmp_path: Path, sqlite_url: str) -> Iterator[Company]:
    """Ann with five roles, Bob with one, Cleo with none."""
    made = make_company(tmp_path, sqlite_url, datetime.now(UTC))
    yield made
    made.parts.database.close()
