"""Warnings come at 60, 30, 14 and 7 days before a certificate ends, once each."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from idp.db.engine import Database
from idp.keys.expiry import ExpiryWarnings, threshold
from idp.keys.signing_key import SigningKey
from idp.settings import Settings
from tests.making import generate_key

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def key(sqlite: Database, tmp_path: Path) -> SigningKey:
    settings = Settings.model_validate({"data_folder": tmp_path, "keys": {"folder": tmp_path}})
    with sqlite.writing() as session:
        return generate_key(session, settings, now=NOW, days=100)


@pytest.mark.parametrize(
    ("left", "passed"),
    [(100, None), (60.1, None), (60, 60), (31, 60), (30, 30), (14, 14), (8, 14), (7, 7), (-1, 0)],
)
def test_the_threshold_is_the_last_that_was_passed(
    key: SigningKey, left: float, passed: int | None
) -> None:
    assert threshold(key, key.certificate.not_valid_after_utc - timedelta(days=left)) == passed


def test_each_threshold_is_told_once(key: SigningKey, caplog: pytest.LogCaptureFixture) -> None:
    warnings = ExpiryWarnings()
    with caplog.at_level(logging.WARNING):
        for left in (90, 59, 58, 29, 28, 13, 6, 5, -1):
            end = key.certificate.not_valid_after_utc
            warnings.look([key], end - timedelta(days=left))
    said = [(record.levelname, vars(record)["days_left"]) for record in caplog.records]
    assert said == [
        ("WARNING", 59),
        ("WARNING", 29),
        ("WARNING", 13),
        ("ERROR", 6),
        ("ERROR", -1),
    ]
