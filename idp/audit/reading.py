"""Reading the trail: the newest rows, rows that match, new rows as they come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, or_, select

from idp.audit.chain import EVENTS
from idp.db.engine import Database

PAGE = 1000
COLUMNS = (
    EVENTS.c.seq,
    EVENTS.c.at,
    EVENTS.c.type,
    EVENTS.c.actor,
    EVENTS.c.address,
    EVENTS.c.request_id,
    EVENTS.c.assertion_id,
    EVENTS.c.detail,
    EVENTS.c.previous_hash,
    EVENTS.c.hash,
)


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the trail as it is stored; `at` is canonical text, `detail` a JSON object."""

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

    @classmethod
    def of(cls, row: Sequence[Any]) -> Record:
        """The record of a row of COLUMNS."""
        return cls(*row)

    def told(self) -> Mapping[str, Any]:
        """The detail's values; a detail that somebody made unreadable is {"unreadable": text}."""
        try:
            told = json.loads(self.detail)
        except (ValueError, TypeError):
            told = None
        return told if isinstance(told, dict) else {"unreadable": str(self.detail)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What rows should match; what is empty matches all.

    `since` and `until` are canonical times, the first inclusive. `role` is an ARN that the event
    names. `text` may stand anywhere, in any case.
    """

    types: tuple[str, ...] = ()
    actor: str = ""
    assertion_id: str = ""
    role: str = ""
    text: str = ""
    since: str = ""
    until: str = ""


def matching(database: Database, search: Search, *, after: int = 0) -> Iterator[Record]:
    """Rows after number `after` that match, oldest first, in constant memory."""
    first, last = _numbers_between(database, search.since, search.until)
    after = max(after, first - 1)
    while True:
        page = _page(database, search, _in_chain_order(after, last))
        for row in page:
            if _matches_exactly(row, search):
                yield Record.of(row)
        if len(page) < PAGE:
            return
        after = page[-1].seq


def newest(database: Database, search: Search, count: int) -> list[Record]:
    """The `count` newest rows that match, oldest of them first."""
    first, last = _numbers_between(database, search.since, search.until)
    found: list[Record] = []
    while len(found) < count:
        query = select(*COLUMNS).where(EVENTS.c.seq >= first, EVENTS.c.seq <= last)
        page = _page(database, search, query.order_by(EVENTS.c.seq.desc()))
        found += [Record.of(row) for row in page if _matches_exactly(row, search)]
        if len(page) < PAGE:
            break
        last = page[-1].seq - 1
    return found[:count][::-1]


def last_number(database: Database) -> int:
    """The number of the newest row, 0 if there is none."""
    with database.reading() as session:
        return session.scalar(select(func.max(EVENTS.c.seq))) or 0


def _in_chain_order(after: int, last: int) -> Select[Any]:
    query = select(*COLUMNS).where(EVENTS.c.seq > after, EVENTS.c.seq <= last)
    return query.order_by(EVENTS.c.seq)


def _page(database: Database, search: Search, query: Select[Any]) -> list[Row[Any]]:
    with database.reading() as session:
        return list(session.execute(query.where(*_conditions(search)).limit(PAGE)))


def _conditions(search: Search) -> Iterator[ColumnElement[bool]]:
    if search.types:
        yield EVENTS.c.type.in_(search.types)
    if search.actor:
        yield EVENTS.c.actor == search.actor
    if search.assertion_id:
        yield EVENTS.c.assertion_id == search.assertion_id
    if search.role:
        yield EVENTS.c.detail.contains(json.dumps(search.role), autoescape=True)
    if search.text:
        in_json = json.dumps(search.text)[1:-1]
        columns = (EVENTS.c.actor, EVENTS.c.type, EVENTS.c.address, EVENTS.c.request_id)
        yield or_(
            EVENTS.c.detail.icontains(in_json, autoescape=True),
            *(column.icontains(search.text, autoescape=True) for column in columns),
        )


def _matches_exactly(row: Row[Any], search: Search) -> bool:
    """What the query can't ask: times without their index, which would sort every page anew."""
    return bool((row.at >= search.since) and (not search.until or row.at < search.until))


def _numbers_between(database: Database, since: str, until: str) -> tuple[int, int]:
    """The first and last row number in a span of time, found once by the index on time."""
    first, last = 0, 2**63 - 1
    with database.reading() as session:
        if since:
            query = select(func.min(EVENTS.c.seq)).where(EVENTS.c.at >= since)
            first = session.scalar(query) or last
        if until:
            query = select(func.max(EVENTS.c.seq)).where(EVENTS.c.at < until)
            last = session.scalar(query) or 0
    return first, last
