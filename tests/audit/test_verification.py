"""Verification finds whatever was done to the chain, and names the first row that is bad."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from idp.audit.chain import Point
from idp.audit.events import SignInRefused
from idp.audit.finding import Trouble
from idp.audit.log import AuditLog, Origin
from idp.audit.pages import TrailUnreadable
from idp.audit.retention import prune
from idp.audit.verify import Verification, verify
from idp.db import schema
from idp.db.engine import Database
from tests.audit.chains import START, load
from tests.audit.tampering import TAMPERINGS, Chain, Draw, Expected, cut_off, rewrite_all

HERE = Origin("192.0.2.1", "request-1")
FORMS = ("whole", "pruned")


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files with a chain of 12 rows; in the second, retention removed rows twice before them."""
    folder = tmp_path_factory.mktemp("chains")
    for form in FORMS:
        database = Database(f"sqlite:///{folder / form}")
        schema.upgrade(database)
        if form == "pruned":
            load(database, 9)
            for seconds in (3, 6):
                log = AuditLog(database, lambda: START + timedelta(seconds=20))
                prune(database, log, START + timedelta(seconds=seconds), "cli/root", HERE)
        load(database, 12 if form == "whole" else 7, START + timedelta(hours=1))
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
    return folder


@contextmanager
def copy(chains: Path, form: str) -> Iterator[Path]:
    file = chains / "copy"
    for left in chains.glob("copy*"):
        left.unlink()
    shutil.copy(chains / form, file)
    yield file


def verified(file: Path, *checkpoints: Point) -> Verification:
    with closing(Database(f"sqlite:///{file}")) as database:
        return verify(database, checkpoints)


def tampered(file: Path, tamper: Callable[[Chain, Draw], Expected], draw: Draw) -> Expected:
    chain = Chain(file)
    with closing(chain.connection):
        if chain.first is None:
            raise LookupError("there is no row left")
        return tamper(chain, draw)


@pytest.mark.parametrize("form", FORMS)
def test_an_honest_chain_is_whole(chains: Path, form: str) -> None:
    with copy(chains, form) as file:
        outcome = verified(file)
    assert outcome.finding is None
    assert outcome.rows == 12
    assert outcome.ends is not None
    assert outcome.ends.anchor.seq == (0 if form == "whole" else 6)


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
@given(data=st.data(), form=st.sampled_from(FORMS))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_tampering_is_found_and_the_first_bad_row_named(
    chains: Path, tamper: Callable[[Chain, Draw], Expected], data: st.DataObject, form: str
) -> None:
    with copy(chains, form) as file:
        expected = tampered(file, tamper, data.draw)
        finding = verified(file).finding
    assert finding is not None
    assert (finding.seq, finding.trouble in expected.troubles) == (expected.seq, True), finding


@given(data=st.data(), form=st.sampled_from(FORMS), times=st.integers(2, 4))
@settings(max_examples=60, deadline=None)
def test_tampering_on_tampering_is_found(
    chains: Path, data: st.DataObject, form: str, times: int
) -> None:
    """Whatever is done after one another: a chain that is not as it was is never called whole.

    A head set back and the rows after it deleted show with a checkpoint only, so there is one.
    """
    with copy(chains, form) as file:
        before = contents(file)
        chain = Chain(file)
        with closing(chain.connection):
            last = Point(chain.last, chain.hash_of(chain.last))
        for _ in range(times):
            tamper = data.draw(st.sampled_from(TAMPERINGS))
            try:
                tampered(file, tamper, data.draw)
            except (LookupError, TypeError, InvalidArgument, sqlite3.Error):
                break  # nothing is left to tamper with in that way
        outcome = verified(file, last)
        assert (outcome.finding is None) == (contents(file) == before)


def contents(file: Path) -> list[object]:
    chain = Chain(file)
    chain.connection.text_factory = bytes
    with closing(chain.connection) as connection:
        return [
            *connection.execute("SELECT * FROM audit_events ORDER BY seq"),
            *connection.execute("SELECT * FROM audit_head"),
        ]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("back", range(12))
def test_a_chain_written_anew_shows_with_a_checkpoint(chains: Path, form: str, back: int) -> None:
    with copy(chains, form) as file:
        chain = Chain(file)
        with closing(chain.connection):
            points = [Point(seq, chain.hash_of(seq)) for seq in range(chain.first, chain.last + 1)]
            bad = chain.last - back
            rewrite_all(chain, bad)
        assert verified(file).finding is None
        for point in points:
            outcome = verified(file, point)
            if point.seq < bad:
                assert (outcome.finding, outcome.held) == (None, (point,))
            else:
                assert outcome.finding is not None
                assert outcome.finding.trouble is Trouble.REWRITTEN
                assert outcome.finding.seq == point.seq
        both = verified(file, *points)
        assert both.finding is not None
        assert both.finding.seq == bad


@pytest.mark.parametrize("form", FORMS)
def test_an_end_cut_off_with_the_head_shows_with_a_checkpoint(chains: Path, form: str) -> None:
    with copy(chains, form) as file:
        chain = Chain(file)
        with closing(chain.connection):
            last = Point(chain.last, chain.hash_of(chain.last))
            cut_off(chain, chain.last - 1)
        assert verified(file).finding is None
        finding = verified(file, last).finding
    assert finding is not None
    assert (finding.trouble, finding.seq) == (Trouble.TRUNCATED, last.seq - 1)


def test_a_checkpoint_from_before_the_first_row_is_called_too_old(chains: Path) -> None:
    with copy(chains, "pruned") as file:
        outcome = verified(file, Point(2, "c" * 64))
        assert outcome.finding is None
        assert outcome.too_old == (Point(2, "c" * 64),)
        assert outcome.held == ()


def test_a_checkpoint_at_the_anchor_is_held_against_it(chains: Path) -> None:
    with copy(chains, "pruned") as file:
        outcome = verified(file)
        assert outcome.ends is not None
        anchor = outcome.ends.anchor
        assert verified(file, anchor).held == (anchor,)
        finding = verified(file, Point(anchor.seq, "c" * 64)).finding
    assert finding is not None
    assert finding.trouble is Trouble.REWRITTEN


def test_an_empty_chain_is_whole(database: Database) -> None:
    assert verify(database, [Point(0, "0" * 64)]).finding is None


def test_twenty_thousand_rows_are_verified_page_by_page(database: Database) -> None:
    load(database, 20_000)
    told: list[tuple[int, int]] = []
    outcome = verify(database, progress=lambda done, total: told.append((done, total)))
    assert (outcome.finding, outcome.rows) == (None, 20_000)
    assert told == [(done, 20_000) for done in (5_000, 10_000, 15_000, 20_000)]
    with database.writing() as session:
        session.connection().exec_driver_sql(
            "UPDATE audit_events SET actor = 'x' WHERE seq = 10001"
        )
    finding = verify(database).finding
    assert finding is not None
    assert (finding.trouble, finding.seq) == (Trouble.CHANGED, 10_001)


def test_rows_written_meanwhile_do_not_disturb(database: Database) -> None:
    load(database, 6_000)
    log = AuditLog(database)

    def write(_done: int, _total: int) -> None:
        log.record(SignInRefused(actor="local/ann", reason="disabled"), HERE)

    assert verify(database, progress=write).rows == 6_000
    assert verify(database).rows == 6_002


def test_a_damaged_database_is_a_sentence(chains: Path) -> None:
    with copy(chains, "whole") as file:
        content = bytearray(file.read_bytes())
        content[4096:] = b"\xa5" * (len(content) - 4096)
        file.write_bytes(content)
        with pytest.raises(TrailUnreadable, match="malformed"):
            verified(file)
