"""Whether this node can do its work now: the database, the signing key, the directories."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import SQLAlchemyError

from idp.db import schema
from idp.db.engine import Database
from idp.directory.interface import Directory
from idp.errors import IdpError
from idp.keys.ring import KeyRing

KEPT_SECONDS = 1.0
# Nobody has this name; the question alone shows whether the directory answers.
_NOBODY = "idp-readiness-check"

log = logging.getLogger("idp.readiness")


@dataclass(frozen=True, slots=True)
class PartState:
    """One part; `reason` says why it can't be used, for the log and never for a page."""

    kind: str
    name: str
    reason: str = ""

    @property
    def usable(self) -> bool:
        """Whether the part does its work."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Report:
    """All parts at one moment."""

    parts: tuple[PartState, ...]

    def by_kind(self, without: Iterable[str] = ()) -> dict[str, bool]:
        """Whether all parts of each kind are usable."""
        found: dict[str, bool] = {}
        for part in self.parts:
            if part.kind not in without:
                found[part.kind] = found.get(part.kind, True) and part.usable
        return found


class Readiness:
    """Looks at most once in KEPT_SECONDS, whoever asks how often."""

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        directories: Mapping[str, Directory],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._keys = keys
        self._directories = directories
        self._clock = clock
        self._wanted = schema.status(database).wanted
        self._looking = threading.Lock()
        self._report: Report | None = None
        self._looked_at = 0.0

    def report(self) -> Report:
        """The parts as they stand, or stood a second ago.

        While one thread waits for a part that does not answer, the others get the last report.
        """
        if self._report is None:
            with self._looking:
                return self._report or self._look()
        fresh = self._clock() - self._looked_at < KEPT_SECONDS
        if fresh or not self._looking.acquire(blocking=False):
            return self._report
        try:
            return self._look()
        finally:
            self._looking.release()

    def _look(self) -> Report:
        database = PartState("database", "", self._database_problem())
        states = [database]
        if database.usable:
            states.append(PartState("signing_key", "", _problem(self._keys.check)))
        else:
            states.append(PartState("signing_key", "", "the database does not answer"))
        for name, directory in self._directories.items():
            reason = _problem(partial(directory.find_by_name, _NOBODY))
            states.append(PartState("directories", name, reason))
        report = Report(tuple(states))
        self._tell_changes(report)
        self._report, self._looked_at = report, self._clock()
        return report

    def _database_problem(self) -> str:
        try:
            with self._database.engine.connect() as connection:
                current = MigrationContext.configure(connection).get_current_revision()
                unwritable = self._database.why_not_writable(connection)
        except SQLAlchemyError as problem:
            return type(problem).__name__
        if current != self._wanted:
            return f"schema {current}, wanted {self._wanted}"
        return unwritable

    def _tell_changes(self, report: Report) -> None:
        last = self._report.parts if self._report else ()
        before = {(part.kind, part.name): part for part in last}
        for part in report.parts:
            was = before.get((part.kind, part.name))
            fields = {"part": part.kind, "directory": part.name, "reason": part.reason}
            shown = {name: value for name, value in fields.items() if value}
            if not part.usable and (was is None or was.usable):
                log.error("not ready", extra=shown)
            elif part.usable and was is not None and not was.usable:
                log.warning("ready again", extra=shown)


def _problem(ask: Callable[[], object]) -> str:
    try:
        ask()
    except IdpError as problem:
        return problem.message
    except SQLAlchemyError as problem:
        return type(problem).__name__
    return ""
