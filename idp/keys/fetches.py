"""Who has read our metadata, and so knows which certificates."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from idp.audit.text import printable
from idp.db.engine import Database
from idp.db.models import MetadataFetchRow

NOTE_EVERY = timedelta(minutes=1)
MOST_UNNAMED = 1000  # addresses; whoever asks from many of them must not fill the database

log = logging.getLogger("idp.metadata")


@dataclass(frozen=True, slots=True)
class Fetch:
    """Somebody's last look at our metadata.

    `fetcher` is a service provider's name if `named`, else an address; `certificates` are the
    SHA-256 fingerprints, in hex, that the document held.
    """

    fetcher: str
    named: bool
    address: str
    user_agent: str
    at: datetime
    certificates: tuple[str, ...]


class MetadataFetches:
    """Notes fetches, one a minute for each fetcher. That it can't must keep nobody from reading."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._noted: dict[tuple[str, bool], tuple[datetime, tuple[str, ...]]] = {}

    def note(self, fetch: Fetch) -> None:
        """Write a fetch down, unless the same was written within the last minute."""
        key, told = (fetch.fetcher, fetch.named), (fetch.at, fetch.certificates)
        with self._lock:
            before = self._noted.get(key)
            if before and before[1] == told[1] and told[0] - before[0] < NOTE_EVERY:
                return
            if len(self._noted) >= MOST_UNNAMED:
                self._noted.clear()
            self._noted[key] = told
        try:
            with self._database.writing() as session:
                _write(session, fetch)
        except SQLAlchemyError as problem:
            log.warning(
                "a fetch of the metadata was not noted", extra={"reason": type(problem).__name__}
            )


def fetches(session: Session) -> Sequence[Fetch]:
    """Every fetcher's last fetch: the named ones first, the newest first among each."""
    rows = session.scalars(
        select(MetadataFetchRow).order_by(MetadataFetchRow.named.desc(), MetadataFetchRow.at.desc())
    )
    return [
        Fetch(row.fetcher, row.named, row.address, row.user_agent, row.at, tuple(row.certificates))
        for row in rows
    ]


def _write(session: Session, fetch: Fetch) -> None:
    session.merge(
        MetadataFetchRow(
            fetcher=fetch.fetcher[:64],
            named=fetch.named,
            address=fetch.address[:64],
            user_agent=printable(fetch.user_agent, 200),
            at=fetch.at,
            certificates=list(fetch.certificates),
        )
    )
    if fetch.named:
        return
    session.flush()
    unnamed = MetadataFetchRow.named.is_(False)
    count = session.scalar(select(func.count()).select_from(MetadataFetchRow).where(unnamed)) or 0
    if count > MOST_UNNAMED:
        oldest = (
            select(MetadataFetchRow.fetcher)
            .where(unnamed)
            .order_by(MetadataFetchRow.at)
            .limit(count - MOST_UNNAMED)
        )
        session.execute(
            delete(MetadataFetchRow).where(unnamed, MetadataFetchRow.fetcher.in_(oldest))
        )
