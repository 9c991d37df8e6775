"""A company in a folder and a database of its own, with people who are signed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from idp.db.engine import Database
from idp.db.models import AuditHeadRow
from idp.settings import Settings
from tests.bench.company import chosen_people, fill, role_of
from tests.bench.load import Load, load
from tests.bench.served import Served
from tests.bench.size import Size, username
from tests.bench.visitor import Errand, WrongAnswer, errands
from tests.servers.postgresql import PostgresServer


@dataclass(frozen=True, slots=True)
class Place:
    """Where a company's data lie; `database_url` "" is SQLite in the folder."""

    folder: Path
    database_url: str
    size: Size

    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "data_folder": self.folder,
                "keys": {"folder": self.folder / "certs"},
                "database": {"url": self.database_url},
            }
        )

    def people(self, count: int) -> list[tuple[str, str]]:
        """User name and role of so many people, spread over all."""
        chosen = chosen_people(min(count, self.size.users), self.size)
        return [(username(number), role_of(number, self.size)) for number in chosen]

    def last_audit_row(self) -> int:
        database = Database(self.settings().database_url)
        try:
            with database.reading() as session:
                return session.scalars(select(AuditHeadRow.seq)).one()
        finally:
            database.close()


def make_place(folder: Path, server: PostgresServer | None, name: str, size: Size) -> Place:
    """Fill a new database, on the server if there is one, else SQLite."""
    own = folder / name
    own.mkdir()
    url = ""
    if server:
        server.create(name)
        url = server.url(name)
    place = Place(own, url, size)
    database = Database(place.settings().database_url)
    try:
        fill(database, place.settings(), size, datetime.now(UTC))
    finally:
        database.close()
    return place


@dataclass(frozen=True, slots=True)
class Warm:
    """A running server at a place, and what its signed-in people ask for."""

    place: Place
    served: Served
    errands: list[Errand]

    def load(self, connections: int, seconds: int) -> Load:
        """Put it under load. Raises WrongAnswer unless each answer stands in the audit trail."""
        before = self.place.last_audit_row()
        done = load(
            self.served.port,
            self.errands,
            self.place.folder,
            connections=connections,
            seconds=seconds,
        )
        written = self.place.last_audit_row() - before
        if written < done.answers:
            raise WrongAnswer(f"{done.answers} answers, but only {written} audit rows")
        return done


@contextmanager
def warm_server(place: Place, sessions: int, warm_up: int, workers: int = 0) -> Iterator[Warm]:
    """Start the server, sign people in, and open their roles for `warm_up` seconds."""
    with Served(place.folder, place.database_url, workers) as served:
        warm = Warm(place, served, errands(served.port, place.people(sessions)))
        if warm_up:
            warm.load(connections=8, seconds=warm_up)
        yield warm
