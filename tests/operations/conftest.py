"""A company whose identity provider runs as real processes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.company import FAST, RULES, make_company
from tests.operations.node import Node


def company_settings(folder: Path, database_url: str, rules: bytes = RULES) -> dict[str, object]:
    """Make the company's data in `folder` and the database; gives the settings that name them."""
    made = make_company(folder, database_url, datetime.now(UTC), rules=rules)
    made.parts.database.close()
    return {
        "database": {"url": database_url},
        "keys": {
            "folder": str(folder / "certs"),
            "encryption_key_file": str(folder / "key-encryption.key"),
        },
        "sign_in": {**FAST, "failures_per_network": 10_000, "failures_per_person": 10_000},
    }


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> dict[str, object]:
    """Settings of the company on SQLite."""
    return company_settings(tmp_path, sqlite_url)


@pytest.fixture
def node(tmp_path: Path, settings: dict[str, object]) -> Iterator[Node]:
    """That company's server with two workers, running."""
    with Node(tmp_path / "node", settings=settings) as running:
        yield running
