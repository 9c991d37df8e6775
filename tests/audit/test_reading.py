"""Finding rows: by what they say and by time, in any number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from idp.audit.admin_events import UserAdded
from idp.audit.events import AssertionRefused, SignInRefused
from idp.audit.log import AuditLog, Origin
from idp.audit.moment import NoMoment, parse_moment
from idp.audit.reading import Record, Search, last_number, matching, newest
from idp.db.engine import Database
from idp.db.models import canonical_time
from tests.audit.chains import ROLE, START, load

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def numbers(database: Database, **criteria: object) -> list[int]:
    return [each.seq for each in matching(database, Search(**criteria))]  # type: ignore[arg-type]


@pytest.fixture
def filled(database: Database) -> Database:
    """2,500 rows a second apart, and three about Änne."""
    load(database, 2500)
    times = iter(NOW + timedelta(minutes=number) for number in range(3))
    log = AuditLog(database, lambda: next(times))
    log.record(SignInRefused(actor="local/Änne", reason="100%_sure"), Origin("192.0.2.77", "one"))
    log.record(
        AssertionRefused(actor="local/Änne", session="s", role=ROLE + "2", reason="not granted"),
        Origin("192.0.2.77", "two"),
    )
    log.record(
        UserAdded(actor="cli/root", subject="Änne", changes={"groups": ["ops"]}),
        Origin("host x", "three"),
    )
    return database


def test_everything_comes_once_in_the_order_of_the_chain(filled: Database) -> None:
    assert numbers(filled) == list(range(1, 2504))
    assert last_number(filled) == 2503


def test_the_newest_come_oldest_first(filled: Database) -> None:
    assert [row.seq for row in newest(filled, Search(), 3)] == [2501, 2502, 2503]
    refused = Search(types=("sign_in.refused",))
    assert [row.seq for row in newest(filled, refused, 2)] == [2500, 2501]
    assert len(newest(filled, Search(), 5000)) == 2503


def test_finds_by_what_rows_say(filled: Database) -> None:
    assert numbers(filled, assertion_id=f"_{1234:032x}") == [1234]
    assert numbers(filled, actor="local/Änne") == [2501, 2502]
    assert len(numbers(filled, types=("sign_in.refused",))) == 251
    assert numbers(filled, types=("user.added", "assertion.refused")) == [2502, 2503]
    assert len(numbers(filled, role=ROLE)) == 2250
    assert numbers(filled, role=ROLE + "2") == [2502]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Änne", [2501, 2502, 2503]),
        ("100%_SURE", [2501]),
        ("0%s", []),
        ("192.0.2.77", [2501, 2502]),
        ("OPS", [2503]),
        ("three", [2503]),
        ("\\", []),
    ],
)
def test_finds_text_anywhere_as_it_stands(filled: Database, text: str, found: list[int]) -> None:
    assert numbers(filled, text=text, since=canonical_time(NOW)) == found


def test_finds_a_span_of_time(filled: Database) -> None:
    def at(seconds: int) -> str:
        return canonical_time(START + timedelta(seconds=seconds))

    assert numbers(filled, since=at(2000), until=at(2003)) == [2001, 2002, 2003]
    assert numbers(filled, until=at(1)) == [1]
    assert numbers(filled, since=canonical_time(NOW)) == [2501, 2502, 2503]
    assert numbers(filled, since=canonical_time(NOW + timedelta(days=1))) == []
    assert numbers(filled, until=canonical_time(START - timedelta(days=1))) == []


def test_rows_out_of_the_order_of_time_are_not_missed(sqlite: Database) -> None:
    for second in (0, 5, 3, 9):
        load(sqlite, 1, START + timedelta(seconds=second))
    assert numbers(sqlite, since=canonical_time(START + timedelta(seconds=4))) == [2, 4]
    assert numbers(sqlite, until=canonical_time(START + timedelta(seconds=4))) == [1, 3]


def test_goes_on_after_a_number(filled: Database) -> None:
    assert [row.seq for row in matching(filled, Search(), after=2501)] == [2502, 2503]


def test_a_detail_that_was_made_unreadable_is_shown_as_it_is() -> None:
    record = Record(1, "", "", "", "", "", None, "{broken", "", "")
    assert record.told() == {"unreadable": "{broken"}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("2h", NOW - timedelta(hours=2)),
        ("4w", NOW - timedelta(weeks=4)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T13:00+01:00", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("2026-11-01T12:00Z", datetime(2026, 11, 1, 12, tzinfo=UTC)),
    ],
)
def test_times_are_ages_or_dates(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "2 h", "-1h", "999999w", "2026-13-01", "1h\n"])
def test_other_words_for_a_time_are_refused(text: str) -> None:
    with pytest.raises(NoMoment):
        parse_moment(text, NOW)
