"""Who reads the metadata is known, and each service provider keeps the old key for its own time."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from idp.db.engine import Database
from idp.keys import fetches as fetching
from idp.keys.fetches import Fetch, MetadataFetches, fetches

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def fetch(fetcher: str, at: datetime = NOW, *, named: bool = False, key: str = "aa") -> Fetch:
    return Fetch(fetcher, named, "192.0.2.1", "curl/8", at, (key,))


def stored(database: Database) -> list[Fetch]:
    with database.reading() as session:
        return list(fetches(session))


def test_the_last_fetch_of_each_is_kept(database: Database) -> None:
    noting = MetadataFetches(database)
    noting.note(fetch("192.0.2.1"))
    noting.note(fetch("grafana", named=True))
    later = fetch("192.0.2.1", NOW + timedelta(hours=1), key="bb")
    noting.note(later)
    assert stored(database) == [fetch("grafana", named=True), later]


def test_a_name_and_an_address_of_the_same_spelling_are_two(database: Database) -> None:
    noting = MetadataFetches(database)
    noting.note(fetch("same"))
    noting.note(fetch("same", named=True))
    assert len(stored(database)) == 2


def test_the_same_is_written_once_a_minute_and_a_change_at_once(sqlite: Database) -> None:
    noting = MetadataFetches(sqlite)
    noting.note(fetch("192.0.2.1"))
    noting.note(fetch("192.0.2.1", NOW + timedelta(seconds=59)))
    assert stored(sqlite)[0].at == NOW
    noting.note(fetch("192.0.2.1", NOW + timedelta(seconds=30), key="bb"))
    assert stored(sqlite)[0].certificates == ("bb",)


def test_many_addresses_do_not_fill_the_database(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MOST_UNNAMED", 20)
    noting = MetadataFetches(sqlite)
    noting.note(fetch("grafana", NOW - timedelta(days=1), named=True))
    for number in range(50):
        noting.note(fetch(f"192.0.2.{number}", NOW + timedelta(seconds=number)))
    kept = stored(sqlite)
    assert [each.fetcher for each in kept][:2] == ["grafana", "192.0.2.49"]
    assert len(kept) == 21


def test_a_database_that_fails_keeps_nobody_from_reading(
    sqlite: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with sqlite.writing() as session:
        session.connection().exec_driver_sql("DROP TABLE metadata_fetches")
    with caplog.at_level(logging.WARNING):
        MetadataFetches(sqlite).note(fetch("192.0.2.1"))
    assert "was not noted" in caplog.text
