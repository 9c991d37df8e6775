"""Server-side sessions: the browser holds a random token, the database its hash and the person."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from idp.db.direct import Statement, utc
from idp.db.engine import Database
from idp.db.models import PersonRow, SessionRow
from idp.directory.interface import Directory
from idp.directory.person import Person
from idp.directory.person_json import BadPersonDocument, person_from_json, person_to_json
from idp.settings import SessionSettings
from idp.signin.people import find_or_add_person

# Every request begins with it. The person is read as text, which PostgreSQL would else parse.
_FIND = Statement(
    "SELECT person_id, CAST(person AS TEXT), authenticated_at, expires_at, refreshed_at, "
    "last_seen_at, CAST(factors AS TEXT), address, "
    "(SELECT number FROM revisions WHERE thing = 'entitlements') "
    "FROM sessions WHERE token_hash = ?"
)

LONGEST_REMEMBERED = 8_000  # characters of a person's document

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session as it stands.

    `expires_at` is its absolute end; `factors` are words such as "password"; `person` is what the
    directory said at `refreshed_at`. `rules_revision` is that of the role rules when the session
    was read, which saves asking for it; None where it was not read along.
    """

    token_hash: str
    person_id: str
    person: Person
    authenticated_at: datetime
    expires_at: datetime
    refreshed_at: datetime
    factors: tuple[str, ...]
    address: str
    rules_revision: int | None = field(default=None, compare=False)


class Sessions:
    """Opens, finds and ends sessions, held to the idle and absolute time-outs of the settings."""

    def __init__(self, database: Database, settings: SessionSettings) -> None:
        self._database = database
        self._idle = timedelta(minutes=settings.idle_minutes)
        self._longest = timedelta(hours=settings.absolute_hours)
        self._fresh = timedelta(seconds=settings.refresh_seconds)
        # Noting each request would cost a write each; a quarter keeps short idle times usable.
        self._note_every = min(timedelta(minutes=1), self._idle / 4)

    def open(
        self, person: Person, factors: Sequence[str], address: str, now: datetime
    ) -> tuple[str, SignedIn]:
        """A session that is always a new one, and its token: 256 random bits, URL-safe.

        Sessions that are over are cleared away on the occasion.
        """
        token = secrets.token_urlsafe(32)
        with self._database.writing() as session:
            session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
            row = SessionRow(
                token_hash=_hash(token),
                person_id=find_or_add_person(session, person, now),
                person=person_to_json(person),
                refreshed_at=now,
                authenticated_at=now,
                last_seen_at=now,
                expires_at=now + self._longest,
                factors=list(factors),
                address=address[:64],
            )
            session.add(row)
        return token, _signed_in(row)

    def find(self, token: str, now: datetime) -> SignedIn | None:
        """The live session of a token, by one SELECT; else None.

        That the person was here is noted at most once a minute.
        """
        if not _TOKEN.fullmatch(token):
            return None
        token_hash = _hash(token)
        found = self._database.direct.rows(_FIND, (token_hash,))
        if not found:
            return None
        person_id, person, authenticated, expires, refreshed, last_seen, *rest = found[0]
        factors, address, revision = rest
        expires_at, last_seen_at = utc(expires), utc(last_seen)
        if expires_at <= now or last_seen_at + self._idle <= now:
            return None
        try:
            signed_in = SignedIn(
                token_hash=token_hash,
                person_id=person_id,
                person=_person(person),
                authenticated_at=utc(authenticated),
                expires_at=expires_at,
                refreshed_at=utc(refreshed),
                factors=tuple(map(str, json.loads(factors))),
                address=address,
                rules_revision=revision,
            )
        except BadPersonDocument:  # written by another version: sign in anew
            return None
        if now - last_seen_at >= self._note_every:
            self._note(token_hash, now)
        return signed_in

    def is_stale(self, signed_in: SignedIn, now: datetime) -> bool:
        """Whether what we know of the person is older than session.refresh_seconds."""
        return now - signed_in.refreshed_at >= self._fresh

    def refresh(
        self, signed_in: SignedIn, directories: Iterable[Directory], now: datetime
    ) -> SignedIn | None:
        """Read the person again if what we know is older than session.refresh_seconds.

        None, and the session is over, if the person is gone or disabled, or their directory is no
        longer configured. To be called outside a transaction. Raises DirectoryUnavailable.
        """
        if not self.is_stale(signed_in, now):
            return signed_in
        known = {directory.name: directory for directory in directories}
        directory = known.get(signed_in.person.directory)
        person = directory.find(signed_in.person.directory_id) if directory else None
        if person is None:
            self.end_by_hash(signed_in.token_hash)
            return None
        with self._database.writing() as session:
            changed = session.execute(
                update(SessionRow)
                .where(SessionRow.token_hash == signed_in.token_hash)
                .values(person=person_to_json(person), refreshed_at=now)
            )
            ended_meanwhile = _count(changed) == 0
        if ended_meanwhile:
            return None
        # Directories may take seconds, and the rules may have changed meanwhile.
        return replace(signed_in, person=person, refreshed_at=now, rules_revision=None)

    def end(self, token: str) -> None:
        """End the session of a token; nothing happens if there is none."""
        if _TOKEN.fullmatch(token):
            self.end_by_hash(_hash(token))

    def end_by_hash(self, token_hash: str) -> None:
        """End a session by the hash that `SignedIn` holds."""
        with self._database.writing() as session:
            session.execute(delete(SessionRow).where(SessionRow.token_hash == token_hash))

    def end_all(self, person_id: str) -> int:
        """End all sessions of one row of `people`; gives their number."""
        with self._database.writing() as session:
            return _count(
                session.execute(delete(SessionRow).where(SessionRow.person_id == person_id))
            )

    def list_for(self, person: Person, now: datetime) -> list[SignedIn]:
        """The person's live sessions, the newest first."""
        query = (
            select(SessionRow)
            .join(PersonRow, PersonRow.id == SessionRow.person_id)
            .where(
                PersonRow.directory == person.directory,
                PersonRow.directory_id == person.directory_id,
                SessionRow.expires_at > now,
                SessionRow.last_seen_at > now - self._idle,
            )
            .order_by(SessionRow.authenticated_at.desc(), SessionRow.token_hash)
        )
        with self._database.reading() as session:
            return [_signed_in(row) for row in session.scalars(query)]

    def _note(self, token_hash: str, now: datetime) -> None:
        with self._database.writing() as session:
            session.execute(
                update(SessionRow)
                .where(
                    SessionRow.token_hash == token_hash,
                    SessionRow.last_seen_at <= now - self._note_every,
                )
                .values(last_seen_at=now)
                .execution_options(synchronize_session=False)
            )


def _person(document: str) -> Person:
    if len(document) > LONGEST_REMEMBERED:
        return person_from_json(json.loads(document))
    return _remembered_person(document)


@lru_cache(maxsize=512)
def _remembered_person(document: str) -> Person:
    """The same Person for the same document, which saves whoever asks about them as well."""
    return person_from_json(json.loads(document))


def _signed_in(row: SessionRow) -> SignedIn:
    return SignedIn(
        token_hash=row.token_hash,
        person_id=row.person_id,
        person=person_from_json(row.person),
        authenticated_at=row.authenticated_at,
        expires_at=row.expires_at,
        refreshed_at=row.refreshed_at,
        factors=tuple(str(factor) for factor in row.factors),
        address=row.address,
    )


def end_everybody(session: Session) -> int:
    """End every session there is, in the caller's writing transaction; gives their number."""
    return _count(session.execute(delete(SessionRow)))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _count(result: object) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0
