"""Retention takes the chain's beginning away and leaves the chain whole."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from idp.audit.log import AuditLog, Origin
from idp.audit.retention import prune
from idp.audit.verify import verify
from idp.db.engine import Database
from idp.db.models import AuditEventRow, canonical_time
from tests.audit.chains import START, load

HERE = Origin("host example", "call-1")


def pruned(database: Database, seconds: int) -> int:
    log = AuditLog(database, lambda: START + timedelta(days=1))
    return prune(database, log, START + timedelta(seconds=seconds), "cli/root", HERE)


def first_and_last(database: Database) -> tuple[int, int]:
    with database.reading() as session:
        found = session.execute(select(func.min(AuditEventRow.seq), func.max(AuditEventRow.seq)))
        first, last = found.one()
        return first, last


def test_removes_what_is_older_and_tells_so_in_the_chain(database: Database) -> None:
    load(database, 100)
    assert pruned(database, 40) == 40
    assert first_and_last(database) == (41, 101)
    outcome = verify(database)
    assert (outcome.finding, outcome.rows) == (None, 61)
    with database.reading() as session:
        row = session.get_one(AuditEventRow, 101)
    told = json.loads(row.detail)
    assert (row.type, row.actor, row.request_id) == ("audit.pruned", "cli/root", "call-1")
    assert (told["row"], told["removed"]) == (40, 40)
    assert told["before"] == canonical_time(START + timedelta(seconds=40))


def test_nothing_old_is_nothing_done(database: Database) -> None:
    load(database, 10)
    assert pruned(database, 0) == 0
    assert first_and_last(database) == (1, 10)
    assert pruned(database, 5) == 5
    assert pruned(database, 5) == 0
    assert first_and_last(database) == (6, 11)


def test_the_event_about_it_stays_when_all_rows_are_old(database: Database) -> None:
    load(database, 10)
    assert pruned(database, 1000) == 10
    assert first_and_last(database) == (11, 11)
    assert verify(database).finding is None


def test_an_empty_trail_has_nothing_to_remove(database: Database) -> None:
    assert pruned(database, 1000) == 0
    assert verify(database).finding is None


def test_a_row_that_is_not_old_keeps_those_after_it(sqlite: Database) -> None:
    """Clocks of nodes differ a little; rows go in the order of the chain only."""
    load(sqlite, 5, START + timedelta(days=1))
    load(sqlite, 5, START)
    assert pruned(sqlite, 3600) == 0


def test_an_interrupted_run_leaves_a_whole_chain_and_the_next_one_ends_it(
    database: Database,
) -> None:
    load(database, 12_000)
    log = AuditLog(database, lambda: START + timedelta(days=1))
    before = START + timedelta(seconds=11_000)

    def interrupt(done: int, total: int) -> None:
        assert (done, total) == (5_000, 11_000)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(database, log, before, "cli/root", HERE, interrupt)
    assert first_and_last(database) == (5_001, 12_001)
    assert verify(database).finding is None
    assert prune(database, log, before, "cli/root", HERE) == 6_000
    assert first_and_last(database) == (11_001, 12_001)
    assert verify(database).finding is None
