"""Verifying the chain from its anchor to its head, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from idp.audit import diagnosis
from idp.audit.chain import GENESIS, ChainWithoutHead, Ends, Point, read_ends, seal
from idp.audit.finding import Finding, Trouble
from idp.audit.pages import Unreadable, sealed_pages, snapshot
from idp.db.engine import Database

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome: how many rows were looked at, where the chain ends, and what is wrong with it.

    `held` are the checkpoints that the chain still contains, `too_old` those from before the first
    row that is kept. The others were not reached.
    """

    rows: int
    ends: Ends | None
    finding: Finding | None
    held: tuple[Point, ...] = ()
    too_old: tuple[Point, ...] = ()


def verify(
    database: Database, checkpoints: Sequence[Point] = (), progress: Progress | None = None
) -> Verification:
    """Recompute every hash and hold rows, head, anchor and checkpoints against each other.

    `progress` is told after each page how many rows are done and how many there are, about.
    Rows written meanwhile are not looked at. Gives the first thing that is wrong, if any.
    """
    with snapshot(database) as connection:
        try:
            ends = read_ends(connection)
        except ChainWithoutHead as gone:
            return Verification(0, None, Finding(Trouble.HEAD, 0, gone.message))
        walk = _Walk(connection, ends, sorted(checkpoints, key=lambda each: each.seq))
        finding = walk.to_the_end(progress)
        return Verification(walk.rows, ends, finding, tuple(walk.held), tuple(walk.too_old))


@dataclass(slots=True)
class _Walk:
    """The way along the chain: which number and which previous hash the next row should have."""

    connection: Connection
    ends: Ends
    checkpoints: list[Point]
    first: int = 0
    expected: int = 0
    previous: str = ""
    pruned: Point | None = None
    rows: int = 0
    held: list[Point] = field(default_factory=list)
    too_old: list[Point] = field(default_factory=list)

    def to_the_end(self, progress: Progress | None) -> Finding | None:
        """Walk until something is wrong or the chain ends."""
        anchor, head = self.ends.anchor, self.ends.head
        if not 0 <= anchor.seq <= head.seq or (anchor.seq == 0 and anchor.hash != GENESIS):
            return Finding(Trouble.ANCHOR, anchor.seq, "The anchor was edited: there is no such.")
        self._begin_after(anchor)
        try:
            for page in sealed_pages(self.connection):
                if self.rows == 0 and page[0].seq <= anchor.seq:
                    self._begin_with(page[0])
                finding = self._through(page)
                if finding is not None:
                    return finding
                if progress is not None:
                    progress(self.rows, head.seq - self.first + 1)
        except Unreadable as row:
            self.expected = row.seq
            return Finding(Trouble.CHANGED, row.seq, f"Row {row.seq} was changed: it is no text.")
        return self._at_the_end()

    def _begin_after(self, anchor: Point) -> None:
        self.first = self.expected = anchor.seq + 1
        self.previous = anchor.hash
        while self.checkpoints and self.checkpoints[0].seq < anchor.seq:
            self.too_old.append(self.checkpoints.pop(0))

    def _begin_with(self, row: Row[Any]) -> None:
        """Rows before the anchor are left when retention was interrupted: they must lead to it."""
        self.first = self.expected = row.seq
        self.previous = row.previous_hash

    def _through(self, page: Sequence[Row[Any]]) -> Finding | None:
        expected, previous, head = self.expected, self.previous, self.ends.head.seq
        special = {self.ends.anchor.seq, *(each.seq for each in self.checkpoints)}
        for row in page:
            columns: Sequence[Any] = row[:-1]
            stored = row[-1]
            if columns[1] != expected or expected > head or expected < 1:
                return self._out_of_place(row, expected, previous)
            if not isinstance(stored, str) or _seal(columns) != stored:
                return diagnosis.broken_seal(self.connection, self.ends, row)
            if columns[0] != previous:
                return diagnosis.broken_link(self.connection, self.ends, row, self.first)
            if columns[3] == diagnosis.PRUNED:
                self.pruned = diagnosis.pruned_point(columns[8])
            if expected in special and (finding := self._at_special(Point(expected, stored))):
                return finding
            expected += 1
            previous = stored
        self.expected, self.previous = expected, previous
        self.rows += len(page)
        return None

    def _out_of_place(self, row: Row[Any], expected: int, previous: str) -> Finding:
        if row.seq < 1:
            message = f"Row {row.seq} was inserted: numbers begin at 1."
            return Finding(Trouble.INSERTED, row.seq, message)
        if expected > self.ends.head.seq:
            return diagnosis.beyond_head(self.ends, row, previous)
        return diagnosis.gap(self.connection, self.ends, expected, row, self.first)

    def _at_special(self, here: Point) -> Finding | None:
        """At the anchor, which has rows before it left, or at a checkpoint."""
        if here.seq == self.ends.anchor.seq and here.hash != self.ends.anchor.hash:
            return diagnosis.before_anchor(self.connection, self.ends, self.first)
        while self.checkpoints and self.checkpoints[0].seq == here.seq:
            if self.checkpoints[0].hash != here.hash:
                return self._rewritten(here.seq)
            self.held.append(self.checkpoints.pop(0))
        return None

    def _rewritten(self, seq: int) -> Finding:
        since = f"after row {self.held[-1].seq} and " if self.held else ""
        return Finding(
            Trouble.REWRITTEN,
            seq,
            f"Row {seq} is not the one of the checkpoint: the chain was rewritten, "
            f"from a row on that lies {since}not after row {seq}.",
        )

    def _at_the_end(self) -> Finding | None:
        anchor, head = self.ends.anchor, self.ends.head
        last = self.expected - 1
        if last < anchor.seq:
            return diagnosis.before_anchor(self.connection, self.ends, self.first)
        if last < head.seq:
            return Finding(
                Trouble.TRUNCATED,
                last + 1,
                f"The chain was truncated: it ends at row {last}, the head says row {head.seq}.",
            )
        told = self.pruned
        if last == anchor.seq > 0:  # the event about retention would lie after it
            return diagnosis.anchor_disagrees(anchor, told)
        if self.previous != head.hash:
            return diagnosis.head_disagrees(self.ends)
        if told != anchor and (anchor.seq > 0 or told is not None):
            return diagnosis.anchor_disagrees(anchor, told)
        return self._checkpoints_left(Point(last, self.previous))

    def _checkpoints_left(self, last: Point) -> Finding | None:
        """A checkpoint at the anchor has no row to be held against; one after the end lacks it."""
        for ours in (self.ends.anchor, last):
            finding = self._at_special(ours)
            if finding is not None:
                return finding
        if not self.checkpoints:
            return None
        missing = self.checkpoints[0].seq
        return Finding(
            Trouble.TRUNCATED,
            last.seq + 1,
            f"The chain was truncated or rewritten: it ends at row {last.seq}, "
            f"a checkpoint was made at row {missing}.",
        )


def _seal(columns: Sequence[Any]) -> str | None:
    try:
        return seal(columns)
    except TypeError:
        return None
