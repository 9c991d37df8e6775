"""Ways to tamper with a SQLite file that holds a chain, each with what verification must say."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from idp.audit.chain import SEALED, Point, seal
from idp.audit.finding import Trouble

NAMES = [column.name for column in SEALED]
TEXTS = ("at", "type", "actor", "address", "request_id", "assertion_id", "detail")
HASHES = ("previous_hash", "hash")
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Expected:
    """The row to be named, and what may be said of it. No troubles: only a checkpoint shows it."""

    seq: int
    troubles: frozenset[Trouble]


class Chain:
    """The tables of a chain, open for tampering."""

    def __init__(self, file: Path) -> None:
        self.connection = sqlite3.connect(file, isolation_level=None)
        self.first, self.last = self.one("SELECT min(seq), max(seq) FROM audit_events")

    def one(self, query: str, *values: Any) -> Any:
        return self.connection.execute(query, values).fetchone()

    def run(self, statement: str, *values: Any) -> None:
        self.connection.execute(statement, values)

    def reseal(self, seq: int) -> str:
        """Give a row the hash that fits its columns."""
        row = self.one(f"SELECT {', '.join(NAMES)} FROM audit_events WHERE seq = ?", seq)
        made = seal(row)
        self.run("UPDATE audit_events SET hash = ? WHERE seq = ?", made, seq)
        return made

    def relink(self, start: int) -> Point:
        """Seal every row from `start` on, each with the new hash of the one before."""
        previous = self.one("SELECT hash FROM audit_events WHERE seq = ?", start - 1)
        made = previous[0] if previous else self.one("SELECT anchor_hash FROM audit_head")[0]
        rows = self.connection.execute(
            "SELECT seq FROM audit_events WHERE seq >= ? ORDER BY seq", (start,)
        ).fetchall()
        seq = start - 1
        for (seq,) in rows:
            self.run("UPDATE audit_events SET previous_hash = ? WHERE seq = ?", made, seq)
            made = self.reseal(seq)
        return Point(seq, made)

    def renumber(self, start: int, by: int) -> None:
        """Add `by` to the numbers from `start` on, the hashes as they are."""
        self.run("UPDATE audit_events SET seq = -seq WHERE seq >= ?", start)
        self.run("UPDATE audit_events SET seq = -seq + ? WHERE seq < 0", by)

    def forge(self, seq: int, previous: str) -> str:
        values = (previous, seq, "2026-01-01T00:00:00.000000Z", "x", "forged", "", "", None, "{}")
        marks = ", ".join("?" * 10)
        self.run(
            f"INSERT INTO audit_events ({', '.join(NAMES)}, hash) VALUES ({marks})",
            *values,
            seal(values),
        )
        return seal(values)

    def hash_of(self, seq: int) -> str:
        found = self.one("SELECT hash FROM audit_events WHERE seq = ?", seq)
        made: str = found[0] if found else self.one("SELECT anchor_hash FROM audit_head")[0]
        return made


def expect(seq: int, *troubles: Trouble) -> Expected:
    return Expected(seq, frozenset(troubles))


def _row(chain: Chain, draw: Draw, last: int | None = None) -> int:
    seq: int = draw(st.integers(chain.first, chain.last if last is None else last))
    return seq


def _span(chain: Chain, draw: Draw) -> tuple[int, int]:
    low, high = sorted((_row(chain, draw), _row(chain, draw)))
    return low, high


def change_a_column(chain: Chain, draw: Draw) -> Expected:
    seq, column = _row(chain, draw), draw(st.sampled_from((*TEXTS, *HASHES)))
    value = draw(st.one_of(st.text(max_size=8), st.sampled_from([b"\xff\xfe", b"text"])))
    (before,) = chain.one(f"SELECT {column} FROM audit_events WHERE seq = ?", seq)
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if value == before:
        value += "!"
    chain.run(f"UPDATE audit_events SET {column} = ? WHERE seq = ?", value, seq)
    return expect(seq, Trouble.CHANGED)


def change_and_seal_anew(chain: Chain, draw: Draw) -> Expected:
    seq, column = _row(chain, draw), draw(st.sampled_from((*TEXTS, "previous_hash")))
    value = "f" * 64 if column == "previous_hash" else f"forged {column}"
    chain.run(f"UPDATE audit_events SET {column} = ? WHERE seq = ?", value, seq)
    chain.reseal(seq)
    return expect(seq, Trouble.CHANGED, *([Trouble.HEAD] if seq == chain.last else []))


def delete_rows(chain: Chain, draw: Draw) -> Expected:
    low, high = _span(chain, draw)
    chain.run("DELETE FROM audit_events WHERE seq BETWEEN ? AND ?", low, high)
    return expect(low, Trouble.TRUNCATED if high == chain.last else Trouble.REMOVED)


def delete_rows_and_close_the_gap(chain: Chain, draw: Draw) -> Expected:
    low, high = _span(chain, draw)
    chain.run("DELETE FROM audit_events WHERE seq BETWEEN ? AND ?", low, high)
    chain.renumber(high + 1, low - high - 1)
    return expect(low, Trouble.TRUNCATED if high == chain.last else Trouble.REMOVED)


def insert_a_row(chain: Chain, draw: Draw) -> Expected:
    seq = draw(st.integers(chain.first, chain.last + 1))
    previous = chain.hash_of(seq - 1)
    chain.renumber(seq, 1)
    chain.forge(seq, previous)
    return expect(seq, Trouble.HEAD if seq == chain.last else Trouble.INSERTED)


def insert_a_row_before_the_first(chain: Chain, draw: Draw) -> Expected:
    seq = draw(st.integers(-3, chain.first - 1))
    chain.forge(seq, "0" * 64)
    return expect(seq, Trouble.INSERTED, Trouble.ANCHOR)


def replace_a_row(chain: Chain, draw: Draw) -> Expected:
    seq = _row(chain, draw)
    chain.run("DELETE FROM audit_events WHERE seq = ?", seq)
    chain.forge(seq, chain.hash_of(seq - 1))
    return expect(seq, Trouble.HEAD if seq == chain.last else Trouble.CHANGED)


def swap_rows(chain: Chain, draw: Draw) -> Expected:
    low, high = _span(chain, draw)
    if low == high:
        return change_a_column(chain, draw)
    chain.run("UPDATE audit_events SET seq = -1000 WHERE seq = ?", low)
    chain.run("UPDATE audit_events SET seq = ? WHERE seq = ?", low, high)
    chain.run("UPDATE audit_events SET seq = ? WHERE seq = -1000", high)
    return expect(low, Trouble.REORDERED)


def move_a_row_away(chain: Chain, draw: Draw) -> Expected:
    seq = _row(chain, draw)
    chain.run("UPDATE audit_events SET seq = ? WHERE seq = ?", chain.last + 5, seq)
    return expect(seq, Trouble.REMOVED)


def move_the_head_back(chain: Chain, draw: Draw) -> Expected:
    seq = _row(chain, draw, chain.last - 1)
    chain.run("UPDATE audit_head SET seq = ?, hash = ?", seq, chain.hash_of(seq))
    return expect(seq + 1, Trouble.INSERTED)


def move_the_head_on(chain: Chain, draw: Draw) -> Expected:
    chain.run("UPDATE audit_head SET seq = seq + ?", draw(st.integers(1, 5)))
    return expect(chain.last + 1, Trouble.TRUNCATED)


def edit_the_heads_hash(chain: Chain, draw: Draw) -> Expected:
    chain.run("UPDATE audit_head SET hash = ?", "e" * 64)
    return expect(chain.last, Trouble.HEAD)


def remove_the_head(chain: Chain, draw: Draw) -> Expected:
    chain.run("DELETE FROM audit_head")
    return expect(0, Trouble.HEAD)


def rewrite_the_end_without_the_head(chain: Chain, draw: Draw) -> Expected:
    seq = _row(chain, draw)
    chain.run("UPDATE audit_events SET actor = 'forged' WHERE seq = ?", seq)
    chain.relink(seq)
    return expect(chain.last, Trouble.HEAD)


def edit_the_anchors_hash(chain: Chain, draw: Draw) -> Expected:
    chain.run("UPDATE audit_head SET anchor_hash = ?", "a" * 64)
    return expect(chain.first - 1, Trouble.ANCHOR)


def move_the_anchor(chain: Chain, draw: Draw) -> Expected:
    here = chain.first - 1
    seq = draw(st.integers(-2, chain.last + 2).filter(lambda value: value != here))
    made = chain.hash_of(seq) if draw(st.booleans()) else "b" * 64
    chain.run("UPDATE audit_head SET anchor_seq = ?, anchor_hash = ?", seq, made)
    if draw(st.booleans()):
        chain.run("DELETE FROM audit_events WHERE seq <= ?", seq)
    # With every row gone, the end that the head tells of is missing as well.
    return expect(seq, Trouble.ANCHOR)


TAMPERINGS = (
    change_a_column,
    change_and_seal_anew,
    delete_rows,
    delete_rows_and_close_the_gap,
    insert_a_row,
    insert_a_row_before_the_first,
    replace_a_row,
    swap_rows,
    move_a_row_away,
    move_the_head_back,
    move_the_head_on,
    edit_the_heads_hash,
    remove_the_head,
    rewrite_the_end_without_the_head,
    edit_the_anchors_hash,
    move_the_anchor,
)


def rewrite_all(chain: Chain, seq: int) -> None:
    """What whoever holds all rights can do: change a row, seal all that follow, move the head."""
    chain.run("UPDATE audit_events SET actor = 'forged' WHERE seq = ?", seq)
    last = chain.relink(seq)
    chain.run("UPDATE audit_head SET seq = ?, hash = ?", last.seq, last.hash)


def cut_off(chain: Chain, seq: int) -> None:
    """Remove the rows from `seq` on, and say in the head that there never were any."""
    chain.run(
        "UPDATE audit_head SET seq = ?, hash = ?",
        seq - 1,
        chain.hash_of(seq - 1),
    )
    chain.run("DELETE FROM audit_events WHERE seq >= ?", seq)
