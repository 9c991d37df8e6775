"""The audit chain, read and computed anew without the code that writes it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass

import psycopg

_COLUMNS = "seq, at, type, actor, address, request_id, assertion_id, detail, previous_hash, hash"


@dataclass(frozen=True)
class Row:
    seq: int
    at: str
    type: str
    actor: str
    address: str
    request_id: str
    assertion_id: str | None
    detail: str
    previous_hash: str
    hash: str


def chain(url: str) -> list[Row]:
    """Every row of the trail in its order."""
    query = f"SELECT {_COLUMNS} FROM audit_events ORDER BY seq"
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        rows = connection.execute(query).fetchall()
        connection.close()
    else:
        with psycopg.connect(url) as server:
            rows = server.execute(query.encode()).fetchall()
    return [Row(*row) for row in rows]


def assert_whole(rows: list[Row]) -> None:
    """Each row follows from the one before it, and none is missing."""
    previous = "0" * 64
    for number, row in enumerate(rows, start=1):
        assert row.seq == number
        assert row.previous_hash == previous, f"row {row.seq} does not follow"
        assert row.hash == _hash(row), f"row {row.seq} was changed"
        previous = row.hash


def _hash(row: Row) -> str:
    columns = [
        row.previous_hash,
        row.seq,
        row.at,
        row.type,
        row.actor,
        row.address,
        row.request_id,
        row.assertion_id,
        row.detail,
    ]
    text = json.dumps(columns, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
