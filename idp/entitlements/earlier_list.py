"""A list of people from an earlier day, and who came, left or changed since."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from idp.errors import IdpError

NAMES_KEPT = 50


class BadList(IdpError):
    """A file is not a list that `idp directory sync` wrote."""


@dataclass(slots=True)
class Changes:
    """How many came, left, or have other groups or roles; the first names of each."""

    came: int = 0
    left: int = 0
    changed: int = 0
    names: dict[str, list[str]] = field(
        default_factory=lambda: {"came": [], "left": [], "changed": []}
    )

    def note(self, kind: str, name: str) -> None:
        """Keep the name, if there are not many yet."""
        if len(self.names[kind]) < NAMES_KEPT:
            self.names[kind].append(name)

    def document(self) -> dict[str, Any]:
        """All of it as JSON types."""
        return {"came": self.came, "left": self.left, "changed": self.changed, **self.names_only()}

    def names_only(self) -> dict[str, Any]:
        """The first names of each kind."""
        return {f"{kind}_names": names for kind, names in self.names.items()}


class EarlierList:
    """The earlier list, in a temporary file of SQLite, so that memory does not grow with it."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Raises BadList."""
        self.changes = Changes()
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute(
            "CREATE TABLE people (directory TEXT, id TEXT, name TEXT, holds TEXT,"
            " PRIMARY KEY (directory, id)) WITHOUT ROWID"
        )
        self._file.execute("BEGIN")
        statement = "INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?)"
        self._file.executemany(statement, (_row(n, line) for n, line in enumerate(lines, 1)))
        self._file.execute("COMMIT")

    def compare(self, person: Mapping[str, Any]) -> None:
        """Hold somebody of today against the earlier list."""
        key = (person["directory"], person["directory_id"])
        row = self._file.execute(
            "SELECT holds FROM people WHERE directory = ? AND id = ?", key
        ).fetchone()
        if row is None:
            self.changes.came += 1
            self.changes.note("came", person["username"])
            return
        if row[0] != _holds(person):
            self.changes.changed += 1
            self.changes.note("changed", person["username"])
        self._file.execute("DELETE FROM people WHERE directory = ? AND id = ?", key)

    def finish(self) -> Changes:
        """The changes, when everybody of today has been compared: who is still there has left."""
        self.changes.left = self._file.execute("SELECT count(*) FROM people").fetchone()[0]
        for (name,) in self._file.execute(
            "SELECT name FROM people ORDER BY name LIMIT ?", (NAMES_KEPT,)
        ):
            self.changes.note("left", name)
        self._file.close()
        return self.changes


def _row(number: int, line: str) -> tuple[str, str, str, str]:
    try:
        person = json.loads(line)
        texts = [str(person[name]) for name in ("directory", "directory_id", "username")]
        return texts[0], texts[1], texts[2], _holds(person)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BadList(
            f"Line {number} is not one of a list of people.",
            "Give a file that idp directory sync --output wrote.",
        ) from None


def _holds(person: Mapping[str, Any]) -> str:
    groups = sorted(str(group.get("dn") or group["name"]) for group in person["groups"])
    return json.dumps([person["username"], groups, sorted(person["roles"])])
