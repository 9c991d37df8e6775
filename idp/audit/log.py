"""Writing the record: append-only, hash-chained, durable before an answer is given.

Writers of all processes and nodes take turns on one row, the head of the chain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session

from idp.audit.chain import extend
from idp.audit.events import AssertionIssued, Event
from idp.audit.group_commit import GroupCommit
from idp.audit.text import printable
from idp.db.engine import Database
from idp.db.models import canonical_time

LONGEST_TYPE = 64
LONGEST_ACTOR = 400
LONGEST_ORIGIN = 64

Also = Callable[[Session], None]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event came from: the network address and the request's identifier."""

    address: str
    request_id: str


class Draft(NamedTuple):
    """An event's columns, as text, before it has a place in the chain."""

    at: str
    type: str
    actor: str
    address: str
    request_id: str
    assertion_id: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class _Entry:
    draft: Draft
    also: Also | None


class _AlsoFailed(Exception):
    """The change beside an event failed, for `reason`."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


def utc_now() -> datetime:
    """The time of day, aware, in UTC."""
    return datetime.now(UTC)


class AuditLog:
    """Appends events; an event is durable when `record` returns. One instance serves a process."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now
        self._group = GroupCommit(self._write, _try_each_alone)

    @property
    def waiting(self) -> int:
        """How many events wait for the transaction after the running one."""
        return self._group.waiting

    def record(self, event: Event, origin: Origin, also: Also | None = None) -> None:
        """Append one event, together with those of other threads that come at the same time.

        `also` makes a small change in the same transaction: both are kept or neither. It is given
        a writing session; it may run in another caller's thread, and a second time after the
        first transaction failed. What it raises reaches this caller alone.
        """
        try:
            self._group.submit(_Entry(self._draft(event, origin), also))
        except _AlsoFailed as failed:
            raise failed.reason from None

    def append(self, session: Session, event: Event, origin: Origin) -> None:
        """Append one event in the caller's writing transaction, whole with what it tells of."""
        extend(self._database.direct.joining(session), [self._draft(event, origin)])

    def _write(self, entries: Sequence[_Entry]) -> None:
        drafts = [entry.draft for entry in entries]
        changes = [entry.also for entry in entries if entry.also is not None]
        direct = self._database.direct
        if not changes:
            with direct.writing() as transaction:
                extend(transaction, drafts)
            return
        with self._database.writing() as session:
            # The head is locked before anything else, so that transactions can't wait in a circle.
            extend(direct.joining(session), drafts)
            for also in changes:
                _call(also, session)

    def _draft(self, event: Event, origin: Origin) -> Draft:
        return Draft(
            canonical_time(self._now()),
            printable(event.kind, LONGEST_TYPE),
            printable(event.actor, LONGEST_ACTOR),
            printable(origin.address, LONGEST_ORIGIN),
            printable(origin.request_id, LONGEST_ORIGIN),
            event.assertion_id if isinstance(event, AssertionIssued) else None,
            _encode(event.detail()),
        )


def _call(also: Also, session: Session) -> None:
    try:
        also(session)
        session.flush()
    except Exception as problem:
        raise _AlsoFailed(problem) from problem


def _try_each_alone(problem: Exception) -> bool:
    """Not when the database itself is at fault: then each would fail, after a long wait."""
    if isinstance(problem, _AlsoFailed):
        reason = problem.reason
        return not (isinstance(reason, DBAPIError) and reason.connection_invalidated)
    return not isinstance(problem, OperationalError | InterfaceError | NoConnectionFree)


_encode = json.JSONEncoder(sort_keys=True, check_circular=False).encode
