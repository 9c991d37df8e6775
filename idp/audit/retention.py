"""Retention: old rows go, and the chain stays whole.

What is removed is always the chain's beginning. The anchor keeps the number and the hash of the
last row removed, and an event in the chain tells the same, so that the anchor can't be moved
quietly. Rows are deleted afterwards in small transactions; if that is interrupted, what is left
still leads to the anchor, and the next run removes it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import delete, func, select

from idp.audit.admin_events import AuditPruned
from idp.audit.chain import EVENTS, Point, move_anchor, read_ends
from idp.audit.log import AuditLog, Origin
from idp.db.engine import Database
from idp.db.models import canonical_time

BATCH = 5000


def prune(
    database: Database,
    log: AuditLog,
    before: datetime,
    actor: str,
    origin: Origin,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Remove the rows older than `before`, up to the first that is not; give their number.

    The event about it is the last row then, so one row always stays. Raises ChainWithoutHead.
    """
    _move_anchor(
        database, log, _last_older(database, canonical_time(before)), before, actor, origin
    )
    with database.reading() as session:
        anchor = read_ends(session.connection()).anchor
        first = session.scalar(select(func.min(EVENTS.c.seq)))
        old = select(func.count()).select_from(EVENTS).where(EVENTS.c.seq <= anchor.seq)
        total = session.scalar(old) or 0
    removed = 0
    while first is not None and first <= anchor.seq:
        first = min(first + BATCH, anchor.seq + 1)
        with database.writing() as session:
            gone = session.connection().execute(delete(EVENTS).where(EVENTS.c.seq < first))
            removed += gone.rowcount
        if progress is not None:
            progress(removed, total)
    return removed


def _last_older(database: Database, limit: str) -> Point | None:
    """The last row before the first one that is not older; rows are in order of time, nearly."""
    with database.reading() as session:
        first_kept = session.scalar(
            select(EVENTS.c.seq).where(EVENTS.c.at >= limit).order_by(EVENTS.c.seq).limit(1)
        )
        last = select(EVENTS.c.seq, EVENTS.c.hash).order_by(EVENTS.c.seq.desc()).limit(1)
        if first_kept is not None:
            last = last.where(EVENTS.c.seq < first_kept)
        row = session.execute(last).one_or_none()
    return None if row is None else Point(row.seq, row.hash)


def _move_anchor(
    database: Database,
    log: AuditLog,
    to: Point | None,
    before: datetime,
    actor: str,
    origin: Origin,
) -> None:
    with database.writing() as session:
        connection = session.connection()
        anchor = read_ends(connection, lock=True).anchor
        if to is None or to.seq <= anchor.seq:
            return
        event = AuditPruned(
            actor=actor,
            row=to.seq,
            hash=to.hash,
            before=canonical_time(before),
            removed=to.seq - anchor.seq,
        )
        log.append(session, event, origin)
        move_anchor(connection, to)
