"""The company that the pages' tests visit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.company import Company, make_company


@pytest.fixture
def company(tmp_path: Path, sqlite_url: str) -> Iterator[Company]:
    """Ann with five roles, Bob with one, Cleo with none."""
    made = make_company(tmp_path, sqlite_url, datetime.now(UTC))
    yield made
    made.parts.database.close()
