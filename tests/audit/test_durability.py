"""What was acknowledged stays, whatever happens to the processes that wrote it."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from idp.audit.log import AuditLog, Origin
from idp.audit.retention import prune
from idp.audit.verify import verify
from idp.db.engine import Database
from idp.db.models import AuditEventRow
from tests.audit.chains import START, load
from tests.audit.writers import EACH, PROCESSES, THREADS

ROUNDS = 12


def acknowledged(url: str, mode: str, rounds: int) -> list[str]:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.audit.writers"]
    done = subprocess.run(
        [*command, url, str(rounds), mode],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=300,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout.decode().split()


def stored(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEventRow.actor).order_by(AuditEventRow.seq)))


def test_processes_and_threads_write_one_chain(database_url: str, database: Database) -> None:
    names = acknowledged(database_url, "finish", 2)
    assert len(names) == 2 * PROCESSES * THREADS * EACH
    assert sorted(stored(database)) == sorted(names)
    assert verify(database).finding is None


def test_retention_removes_while_others_write_and_verify(
    database_url: str, database: Database
) -> None:
    load(database, 6_000)
    log, removed, steps = AuditLog(database), 0, 10
    with ThreadPoolExecutor(1) as beside:
        writing = beside.submit(acknowledged, database_url, "finish", 4)
        for step in range(1, steps + 1):
            limit = START + timedelta(seconds=6_000 * step / steps)
            removed += prune(database, log, limit, "cli/root", Origin("", ""))
            assert verify(database).finding is None
    names = writing.result()
    assert removed == 6_000
    assert sorted(each for each in stored(database) if each != "cli/root") == sorted(names)
    outcome = verify(database)
    assert outcome.finding is None
    assert outcome.ends is not None
    assert outcome.ends.anchor.seq == 6_000
    assert outcome.rows == len(names) + steps


def test_killed_writers_lose_nothing_that_they_acknowledged(
    database_url: str, database: Database
) -> None:
    names = acknowledged(database_url, "kill", ROUNDS)
    kept = stored(database)
    assert len({name.partition(".")[0] for name in names}) == ROUNDS
    assert set(names) <= set(kept)
    assert len(set(kept)) == len(kept)
    outcome = verify(database)
    assert outcome.finding is None
    assert outcome.rows == len(kept)
