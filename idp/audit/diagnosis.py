"""Telling what was done to a row at which the chain breaks.

Each function looks at the row and at what lies around it; the rules are in the docstrings. Called
once in a verification, so it may take a moment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from idp.audit.chain import EVENTS, Ends, Point, seal
from idp.audit.finding import Finding, Trouble
from idp.audit.pages import row_at

WINDOW = 1_000_000  # how far from its place a moved row is looked for, in rows
PRUNED = "audit.pruned"


def broken_seal(connection: Connection, ends: Ends, row: Row[Any]) -> Finding:
    """The row's hash is not that of its columns: it was changed, or has another row's number.

    If the hash fits with another number, the row was moved from there. Coming from below, and
    following what stands before its old place, it made room for inserted rows. Coming from above,
    it was exchanged if the row that it follows is still there, else rows before it were removed.
    """
    seq = row.seq
    old = _number_that_fits(row, ends)
    if old is None:
        return Finding(Trouble.CHANGED, seq, f"Row {seq} was changed: its hash does not fit it.")
    if old < seq and _hash_at(connection, ends, old - 1) == row.previous_hash:
        last = seq - 1
        return Finding(
            Trouble.INSERTED,
            old,
            f"{_rows(old, last)} inserted: row {seq} was row {old} when it was written.",
        )
    if old > seq and not _is_there(connection, ends, row.previous_hash):
        return Finding(
            Trouble.REMOVED,
            seq,
            f"{_rows(seq, old - 1)} removed: row {seq} was row {old} when it was written.",
        )
    return Finding(
        Trouble.REORDERED,
        seq,
        f"Row {seq} was row {old} when it was written: rows were put in another order.",
    )


def broken_link(connection: Connection, ends: Ends, row: Row[Any], first: int) -> Finding:
    """The row is whole but does not name the hash of the row before it.

    If what comes after confirms the row, the one before it was changed and sealed anew; if it is
    the first, the anchor was. Else the row itself is the bad one.
    """
    seq = row.seq
    if not _confirmed(connection, ends, row):
        return Finding(
            Trouble.CHANGED,
            seq,
            f"Row {seq} was changed and sealed anew: it does not continue row {seq - 1}, "
            "and what follows does not continue it.",
        )
    if seq == first:
        return Finding(
            Trouble.ANCHOR,
            ends.anchor.seq,
            f"The anchor was edited: row {seq}, the first, does not continue it.",
        )
    return Finding(
        Trouble.CHANGED,
        seq - 1,
        f"Row {seq - 1} was changed and sealed anew: row {seq} names another hash for it.",
    )


def gap(connection: Connection, ends: Ends, expected: int, row: Row[Any], first: int) -> Finding:
    """Numbers are missing before the row: rows were removed, or at the start the anchor set back.

    Rows before the anchor must reach it, else they are not left over from retention.
    """
    if expected <= ends.anchor.seq:
        return Finding(
            Trouble.INSERTED,
            first,
            f"{_rows(first, expected - 1)} inserted before the anchor, row {ends.anchor.seq}.",
        )
    pruned = last_pruned(connection)
    if expected == first and pruned == Point(row.seq - 1, row.previous_hash):
        return anchor_disagrees(ends.anchor, pruned)
    return Finding(
        Trouble.REMOVED, expected, f"{_rows(expected, row.seq - 1)} removed: the numbers are gone."
    )


def beyond_head(ends: Ends, row: Row[Any], previous: str) -> Finding:
    """There are rows after the last one that the head knows of."""
    if previous != ends.head.hash:
        return head_disagrees(ends)
    return Finding(
        Trouble.INSERTED,
        row.seq,
        f"Row {row.seq} was inserted after the head, row {ends.head.seq}, "
        "or the head was moved back.",
    )


def before_anchor(connection: Connection, ends: Ends, first: int) -> Finding:
    """What is left before the anchor ends in another hash than the anchor's."""
    after = row_at(connection, ends.anchor.seq + 1)
    if after is not None and after.previous_hash == ends.anchor.hash:
        return Finding(
            Trouble.INSERTED,
            first,
            f"{_rows(first, ends.anchor.seq)} changed or inserted: they lie before the anchor and "
            "do not lead to it.",
        )
    return Finding(
        Trouble.ANCHOR,
        ends.anchor.seq,
        f"The anchor was edited: row {ends.anchor.seq} has another hash.",
    )


def head_disagrees(ends: Ends) -> Finding:
    """The last row is another one than the head says."""
    return Finding(
        Trouble.HEAD,
        ends.head.seq,
        f"Row {ends.head.seq} is not the one that the head names: it was changed and sealed anew, "
        "maybe with rows before it, or the head was edited.",
    )


def anchor_disagrees(anchor: Point, pruned: Point | None) -> Finding:
    """The anchor is not where the last event about retention says."""
    told = f"up to row {pruned.seq}" if pruned else "no row"
    return Finding(
        Trouble.ANCHOR,
        anchor.seq,
        f"The anchor was edited: it says that retention removed the rows up to row {anchor.seq}; "
        f"the events in the chain tell of {told}.",
    )


def last_pruned(connection: Connection) -> Point | None:
    """The anchor as the last event about retention tells it."""
    query = (
        select(EVENTS.c.detail)
        .where(EVENTS.c.type == PRUNED)
        .order_by(EVENTS.c.seq.desc())
        .limit(1)
    )
    detail = connection.execute(query).scalar_one_or_none()
    return None if detail is None else pruned_point(detail)


def pruned_point(detail: str) -> Point | None:
    """The anchor that the detail of an event about retention tells of."""
    try:
        told = json.loads(detail)
        return Point(told["row"], told["hash"])
    except (ValueError, KeyError, TypeError):
        return None


def _number_that_fits(row: Row[Any], ends: Ends) -> int | None:
    columns: Sequence[Any] = row[:-1]
    try:
        before, after = _around_the_number(columns)
    except TypeError:  # a value that no column of ours holds
        return None
    start = hashlib.sha256(before)
    nearest = range(
        max(1, row.seq - WINDOW), min(max(row.seq, ends.head.seq), row.seq + WINDOW) + 2
    )
    for number in nearest:
        attempt = start.copy()
        attempt.update(b"%d%b" % (number, after))
        if attempt.hexdigest() == row.hash:
            return number
    return None


def _around_the_number(columns: Sequence[Any]) -> tuple[bytes, bytes]:
    """The sealed text before and after the row's number, its second value."""
    encode = json.JSONEncoder(separators=(",", ":")).encode
    before = f"[{encode(columns[0])},"
    after = f",{encode(list(columns[2:]))[1:]}"
    return before.encode("ascii"), after.encode("ascii")


def _confirmed(connection: Connection, ends: Ends, row: Row[Any]) -> bool:
    if row.seq == ends.head.seq:
        return bool(row.hash == ends.head.hash)
    after = row_at(connection, row.seq + 1)
    return after is not None and bool(after.previous_hash == row.hash) and _sealed(after)


def _sealed(row: Row[Any]) -> bool:
    try:
        return bool(seal(row[:-1]) == row.hash)
    except TypeError:
        return False


def _hash_at(connection: Connection, ends: Ends, seq: int) -> str | None:
    if seq == ends.anchor.seq:
        return ends.anchor.hash
    row = row_at(connection, seq)
    return None if row is None else str(row.hash)


def _is_there(connection: Connection, ends: Ends, value: str) -> bool:
    found = connection.execute(select(exists().where(EVENTS.c.hash == value))).scalar_one()
    return bool(found) or value == ends.anchor.hash


def _rows(first: int, last: int) -> str:
    return f"Row {first} was" if first == last else f"Rows {first} to {last} were"
