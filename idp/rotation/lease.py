"""One process at a time works on a rotation; if it is killed, another one can soon go on.

The lease is two columns of the rotation's row. Its holder renews it with a heartbeat and with every
step that it writes down; each of these steps is refused once somebody else holds the lease. A lease
ends LEASE after its last renewal, and at once when its holder ran on this machine and is gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Thread

from sqlalchemy import or_, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.db.models import RotationRow
from idp.errors import IdpError
from idp.rotation.process_mark import process_mark, surely_ended

LEASE = timedelta(seconds=30)
HEARTBEAT_SECONDS = 8.0


class RotationBusy(IdpError):
    """Another process works on the rotation."""

    status = 409


class LeaseLost(IdpError):
    """This process was silent for so long that another one may have gone on in its place."""

    status = 409


def new_holder() -> str:
    """A name for whoever is going to hold a lease: this process, and this use of it."""
    return f"{process_mark()} {secrets.token_hex(4)}"


def take_lease(session: Session, rotation_id: str, holder: str, now: datetime) -> None:
    """Become the one who works on a rotation. Raises RotationBusy."""
    row = session.get(RotationRow, rotation_id, populate_existing=True)
    held_by = row.lease_holder if row else None
    free = or_(RotationRow.lease_holder.is_(None), RotationRow.lease_until < now)
    if held_by and surely_ended(held_by.partition(" ")[0]):
        free = or_(free, RotationRow.lease_holder == held_by)
    taken = session.connection().execute(
        update(RotationRow)
        .where(RotationRow.id == rotation_id, free)
        .values(lease_holder=holder, lease_until=now + LEASE)
    )
    if taken.rowcount != 1:
        raise busy(held_by)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who took a rotation up last and has not given it back. `process` is in words, or empty.

    `alive` is false for one that is known to have ended, or was silent for longer than LEASE.
    """

    process: str
    alive: bool


def holder_of(session: Session, rotation_id: str, now: datetime) -> Holder | None:
    """Who holds the lease of a rotation; None if it was given back."""
    row = session.get(RotationRow, rotation_id, populate_existing=True)
    if row is None or row.lease_holder is None or row.lease_until is None:
        return None
    ended = surely_ended(row.lease_holder.partition(" ")[0])
    return Holder(_in_words(row.lease_holder), row.lease_until >= now and not ended)


def busy(held_by: str | None) -> RotationBusy:
    """The refusal, with the machine and process that hold the lease."""
    process = _in_words(held_by or "")
    where = f" ({process})" if process else ""
    return RotationBusy(
        f"Another process works on this rotation{where}.",
        f"Wait for it. If it was killed, try again in {LEASE.seconds} seconds.",
    )


def refuse_while_worked_on(session: Session, rotation_id: str, now: datetime) -> None:
    """Raise RotationBusy if somebody holds the lease of a rotation now."""
    row = session.get(RotationRow, rotation_id, populate_existing=True)
    holder = holder_of(session, rotation_id, now)
    if row and holder and holder.alive:
        raise busy(row.lease_holder)


def _in_words(holder: str) -> str:
    parts = holder.partition(" ")[0].split("/")
    return f"process {parts[-2]} on {parts[0]}" if len(parts) > 2 else ""


def renew(session: Session, rotation_id: str, holder: str, now: datetime) -> None:
    """Hold the lease for longer, in the transaction of a step. Raises LeaseLost."""
    renewed = session.connection().execute(
        update(RotationRow)
        .where(RotationRow.id == rotation_id, RotationRow.lease_holder == holder)
        .values(lease_until=now + LEASE)
    )
    if renewed.rowcount != 1:
        raise LeaseLost(
            "Another process has taken this rotation over.", "Look at: idp certs rotate --resume"
        )


class Lease:
    """A lease that is held. `valid` turns false when it could not be renewed in time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._until = now() + LEASE
        self._lost = False

    @property
    def valid(self) -> bool:
        """Whether nobody else can hold it now."""
        return not self._lost and self._now() < self._until

    def renewed(self, at: datetime) -> None:
        """It was renewed in the database, with the time `at`."""
        self._until = at + LEASE

    def lost(self) -> None:
        """Somebody else has it."""
        self._lost = True


@contextmanager
def kept_lease(
    database: Database,
    rotation_id: str,
    holder: str,
    now: Callable[[], datetime],
    heartbeat: float | None = HEARTBEAT_SECONDS,
) -> Iterator[Lease]:
    """Renew a lease that `holder` has taken every `heartbeat` seconds (None: never); give it back.

    It is not given back when the block is left by anything that ends the program.
    """
    lease, end = Lease(now), Event()

    def beat(seconds: float) -> None:
        while not end.wait(seconds):
            try:
                with database.writing() as session:
                    at = now()
                    renew(session, rotation_id, holder, at)
                lease.renewed(at)
            except LeaseLost:
                lease.lost()
            except SQLAlchemyError:
                continue  # the next beat may do better, and `valid` knows the time

    thread = Thread(target=beat, args=(heartbeat,), daemon=True) if heartbeat else None
    if thread:
        thread.start()
    try:
        yield lease
    except Exception:
        _end(end, thread)
        _give_back(database, rotation_id, holder)
        raise
    except BaseException:
        _end(end, thread)
        raise
    _end(end, thread)
    _give_back(database, rotation_id, holder)


def _end(end: Event, thread: Thread | None) -> None:
    end.set()
    if thread:
        thread.join()


def _give_back(database: Database, rotation_id: str, holder: str) -> None:
    with database.writing() as session:
        session.execute(
            update(RotationRow)
            .where(RotationRow.id == rotation_id, RotationRow.lease_holder == holder)
            .values(lease_holder=None, lease_until=None)
        )
