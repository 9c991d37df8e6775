"""Who works on a rotation, and when somebody else may go on."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from idp.db.engine import Database
from idp.rotation.lease import LEASE, LeaseLost, RotationBusy, kept_lease, renew, take_lease
from idp.rotation.process_mark import process_mark, surely_ended
from tests.rotation.company import RotatingCompany, account

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def rotation(tmp_path: Path, database: Database) -> str:
    company = RotatingCompany.make(tmp_path, database, account(1))
    company.rotate()
    return company.report.rotation.id


def take(database: Database, rotation: str, holder: str, now: datetime) -> None:
    with database.writing() as session:
        take_lease(session, rotation, holder, now)


def test_a_lease_is_one_holders_until_it_ends(database: Database, rotation: str) -> None:
    take(database, rotation, "elsewhere/b/n/1/1 one", NOON)
    with pytest.raises(RotationBusy):
        take(database, rotation, "elsewhere/b/n/2/1 two", NOON + LEASE - timedelta(seconds=1))
    take(database, rotation, "elsewhere/b/n/2/1 two", NOON + LEASE + timedelta(seconds=1))
    with pytest.raises(LeaseLost), database.writing() as session:
        renew(session, rotation, "elsewhere/b/n/1/1 one", NOON)


def test_a_heartbeat_keeps_it(database: Database, rotation: str) -> None:
    take(database, rotation, "one", NOON)
    times = [NOON]

    def now() -> datetime:
        return times[0]

    with kept_lease(database, rotation, "one", now, heartbeat=0.02) as lease:
        times[0] = NOON + LEASE - timedelta(seconds=1)
        deadline = time.monotonic() + 20
        while True:  # until a beat has been in time
            times[0] += timedelta(milliseconds=100)
            if lease.valid and times[0] > NOON + LEASE:
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(RotationBusy):
            take(database, rotation, "two", NOON + LEASE + timedelta(milliseconds=1))
    take(database, rotation, "two", NOON)


def test_a_process_is_known_to_have_ended_only_on_its_own_machine() -> None:
    program = "from idp.rotation.process_mark import process_mark as m; print(m(), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{program}; input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout
        mark = other.stdout.readline().strip()
        assert not surely_ended(mark)
        other.kill()
    assert surely_ended(mark)
    assert not surely_ended(process_mark())
    host, rest = mark.split("/", 1)
    assert not surely_ended(f"not-{host}/{rest}")
    for odd in ("", "a", "a/b/c/d/e", f"{mark}/1", mark.rpartition("/")[0] + "/?"):
        assert not surely_ended(odd)
