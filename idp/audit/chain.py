"""The chain: how a row is sealed, and where the chain begins and ends.

A row's hash covers its other columns and the hash of the row before it. The head says which row is
the last; the anchor is the row before the first one, removed by retention or never there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, String, column, select, table, update

from idp.db.direct import Statement, Transaction
from idp.errors import IdpError

GENESIS = "0" * 64

# The hashed columns in the order of hashing. Values are taken as they are stored, the time as text.
SEALED = (
    column("previous_hash", String),
    column("seq", BigInteger),
    column("at", String),
    column("type", String),
    column("actor", String),
    column("address", String),
    column("request_id", String),
    column("assertion_id", String),
    column("detail", String),
)
EVENTS = table("audit_events", *SEALED, column("hash", String))
HEAD = table(
    "audit_head",
    column("id", Integer),
    column("seq", BigInteger),
    column("hash", String),
    column("anchor_seq", BigInteger),
    column("anchor_hash", String),
)
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_sha256 = hashlib.sha256


class ChainWithoutHead(IdpError):
    """The row that says where the chain ends is gone."""

    status = 500


@dataclass(frozen=True, slots=True)
class Point:
    """A row of the chain, by its number and its hash."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Ends:
    """The row before the first (the anchor) and the last row (the head)."""

    anchor: Point
    head: Point


def seal(columns: Sequence[Any]) -> str:
    """SHA-256 in lower-case hex over the values of SEALED as a JSON list without spaces.

    Raises TypeError for a value that no column of ours holds.
    """
    return _sha256(_encode(columns).encode("ascii")).hexdigest()


def read_ends(connection: Connection, *, lock: bool = False) -> Ends:
    """Where the chain begins and ends; `lock` keeps other writers out until the commit.

    Raises ChainWithoutHead.
    """
    row = connection.execute(_ENDS_LOCKED if lock else _ENDS).one_or_none()
    if row is None:
        raise _headless()
    return Ends(Point(row.anchor_seq, row.anchor_hash), Point(row.seq, row.hash))


def extend(transaction: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    """Append rows in a running writing transaction; each is the values of SEALED from `at` on.

    The head is locked, so that other writers wait for the commit. Raises ChainWithoutHead.
    """
    found = transaction.rows(_LOCK_HEAD)
    if not found:
        raise _headless()
    seq, previous = found[0]
    added = []
    for row in rows:
        seq += 1
        sealed = (previous, seq, *row)
        previous = seal(sealed)
        added.append((*sealed, previous))
    transaction.run(_APPEND, added)
    transaction.run(_MOVE_HEAD, [(seq, previous)])


def _headless() -> ChainWithoutHead:
    return ChainWithoutHead(
        "The audit trail has lost its head: the row of audit_head is gone.",
        "Somebody removed it. Keep the database as it is for an inquiry; restore a backup.",
    )


def move_anchor(connection: Connection, anchor: Point) -> None:
    """Say that the chain begins after `anchor` now."""
    connection.execute(_MOVE, {"anchor_seq": anchor.seq, "anchor_hash": anchor.hash})


_ENDS = select(HEAD).where(HEAD.c.id == 1)
_ENDS_LOCKED = _ENDS.with_for_update()
_MOVE = update(HEAD).where(HEAD.c.id == 1)
_LOCK_HEAD = Statement("SELECT seq, hash FROM audit_head WHERE id = 1", lock=True)
_MOVE_HEAD = Statement("UPDATE audit_head SET seq = ?, hash = ? WHERE id = 1")
_APPEND = Statement(
    "INSERT INTO audit_events (previous_hash, seq, at, type, actor, address, request_id, "
    "assertion_id, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
