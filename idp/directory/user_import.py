"""Importing people into the local directory, all or nobody."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any, BinaryIO

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.db.models import LocalMembershipRow, LocalUserRow
from idp.directory.import_rows import BadLine, ImportFormat, ImportRow, read_rows
from idp.directory.local import end_sessions
from idp.directory.passwords import Passwords
from idp.errors import IdpError

SHOWN_PROBLEMS = 20
MOST_ROWS = 1_000_000
_PAGE = 1000

Progress = Callable[[str, int, int | None], None]
"""Called with a step's name, how much of it is done, and its total if that is known."""


class ImportRefused(IdpError):
    """Some lines can't be imported, so nobody was. `problems` are all of them, by line."""

    def __init__(self, problems: Sequence[BadLine]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        shown = self.problems[:SHOWN_PROBLEMS]
        lines = [f"  line {problem.line}: {problem.reason}" for problem in shown]
        if len(self.problems) > len(shown):
            lines.append(f"  and {len(self.problems) - len(shown):,} more")
        count = len(self.problems)
        what = "1 line" if count == 1 else f"{count:,} lines"
        super().__init__(
            f"Nobody was imported, because {what} can't be:\n" + "\n".join(lines),
            "Mend the file and import it again.",
        )


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """A file that was read and checked against the database, ready for `apply_import`."""

    rows: tuple[ImportRow, ...]
    update: bool
    updated: int
    passwords: int

    @property
    def added(self) -> int:
        """How many people are new."""
        return len(self.rows) - self.updated


def plan_import(
    stream: BinaryIO, form: ImportFormat, database: Database, *, update: bool, progress: Progress
) -> ImportPlan:
    """Read the whole file and check every line, against the file itself and the database.

    With `update`, people who are there already are changed; else they are problems. Raises
    ImportRefused with every bad line, BadImportFile.
    """
    rows: list[ImportRow] = []
    problems: list[BadLine] = []
    first_lines: dict[str, int] = {}
    for number, row in enumerate(read_rows(stream, form), start=1):
        if number > MOST_ROWS:
            problems.append(BadLine(row.line, f"There are more than {MOST_ROWS:,} people."))
            break
        if isinstance(row, BadLine):
            problems.append(row)
        elif row.key in first_lines:
            reason = f"The user name is the same as on line {first_lines[row.key]}."
            problems.append(BadLine(row.line, reason))
        else:
            first_lines[row.key] = row.line
            rows.append(row)
        if number % _PAGE == 0:
            progress("Reading", number, None)
    progress("Reading", len(rows) + len(problems), len(rows) + len(problems))
    known = _known_keys(database, rows)
    there = [row for row in rows if row.key in known]
    if not update:
        problems.extend(BadLine(row.line, _taken(row)) for row in there)
    if problems:
        raise ImportRefused(problems)
    return ImportPlan(
        tuple(rows), update, len(there), sum(row.password is not None for row in rows)
    )


def apply_import(
    plan: ImportPlan,
    database: Database,
    passwords: Passwords,
    *,
    now: datetime,
    progress: Progress,
    directory: str = "local",
) -> None:
    """Hash the passwords, then write everyone in one transaction. Raises ImportRefused.

    A new password ends the sessions of the person whose it is.
    """
    hashes = _hash_passwords(plan, passwords, progress)
    try:
        with database.writing() as session:
            for done, page in _pages(plan.rows):
                _write_page(session, page, hashes, plan.update, now, directory)
                progress("Writing", done, len(plan.rows))
    except IntegrityError:
        raise ImportRefused(
            [BadLine(0, "Someone else changed the same users at the same time.")]
        ) from None


def expected_seconds(plan: ImportPlan, passwords: Passwords) -> float:
    """How long the hashing of the plan's passwords will take here, after a trial."""
    if not plan.passwords:
        return 0.0
    begin = perf_counter()
    passwords.hash("a password for a trial")
    return (perf_counter() - begin) * plan.passwords / _workers()


def _known_keys(database: Database, rows: Sequence[ImportRow]) -> set[str]:
    known: set[str] = set()
    with database.reading() as session:
        for _, page in _pages(rows):
            keys = [row.key for row in page]
            known.update(
                session.scalars(
                    select(LocalUserRow.username_key).where(LocalUserRow.username_key.in_(keys))
                )
            )
    return known


def _hash_passwords(plan: ImportPlan, passwords: Passwords, progress: Progress) -> dict[int, str]:
    """The hash for each line that brings a password; Argon2 lets other threads run meanwhile."""
    hashes = {row.line: row.password_hash for row in plan.rows if row.password_hash}
    plain = [(row.line, row.password) for row in plan.rows if row.password]
    with ThreadPoolExecutor(_workers()) as pool:
        for start in range(0, len(plain), 64):
            part = plain[start : start + 64]
            made = pool.map(passwords.hash, [password for _, password in part])
            hashes.update(zip([line for line, _ in part], made, strict=True))
            progress("Hashing passwords", start + len(part), len(plain))
    return hashes


def _write_page(
    session: Session,
    page: Sequence[ImportRow],
    hashes: dict[int, str],
    update_known: bool,
    now: datetime,
    directory: str,
) -> None:
    known = {
        row.username_key: row
        for row in session.execute(
            select(LocalUserRow.id, LocalUserRow.username_key, LocalUserRow.attributes)
            .where(LocalUserRow.username_key.in_([row.key for row in page]))
            .order_by(LocalUserRow.id)
            .with_for_update()
        )
    }
    taken = [BadLine(row.line, _taken(row)) for row in page if row.key in known]
    if taken and not update_known:
        raise ImportRefused(taken)
    ids = {row.key: known[row.key].id if row.key in known else uuid.uuid4().hex for row in page}
    new = [_new(row, ids[row.key], hashes, now) for row in page if row.key not in known]
    changed = [_changes(row, known[row.key], hashes) for row in page if row.key in known]
    if new:
        session.execute(insert(LocalUserRow), new)
    if changed:
        session.execute(update(LocalUserRow), changed)
    regrouped = [row for row in page if row.key not in known or "groups" in row.given]
    _write_groups(session, {ids[row.key]: row.profile.groups for row in regrouped})
    ended = [ids[row.key] for row in page if row.key in known and row.line in hashes]
    end_sessions(session, directory, ended)


def _new(row: ImportRow, user_id: str, hashes: dict[int, str], now: datetime) -> dict[str, Any]:
    return {
        "id": user_id,
        "username": row.profile.username,
        "username_key": row.key,
        "display_name": row.profile.display_name,
        "email": row.profile.email,
        "password_hash": hashes.get(row.line),
        "attributes": {name: list(values) for name, values in row.profile.attributes.items()},
        "created_at": now,
    }


def _changes(row: ImportRow, known: Row[Any], hashes: dict[int, str]) -> dict[str, Any]:
    """What an update sets: only what the file speaks of; an empty password keeps the old one."""
    attributes = {
        name: values for name, values in known.attributes.items() if name not in row.given
    }
    attributes.update((name, list(values)) for name, values in row.profile.attributes.items())
    changes: dict[str, Any] = {"id": known.id, "attributes": attributes}
    if "display_name" in row.given:
        changes["display_name"] = row.profile.display_name
    if "email" in row.given:
        changes["email"] = row.profile.email
    if row.line in hashes:
        changes["password_hash"] = hashes[row.line]
    return changes


def _write_groups(session: Session, groups: dict[str, tuple[str, ...]]) -> None:
    session.execute(delete(LocalMembershipRow).where(LocalMembershipRow.user_id.in_(list(groups))))
    rows = [
        {"user_id": user_id, "group_name": name}
        for user_id, names in groups.items()
        for name in names
    ]
    if rows:
        session.execute(insert(LocalMembershipRow), rows)


def _pages(rows: Sequence[ImportRow]) -> Iterator[tuple[int, Sequence[ImportRow]]]:
    for start in range(0, len(rows), _PAGE):
        page = rows[start : start + _PAGE]
        yield start + len(page), page


def _taken(row: ImportRow) -> str:
    return f"There is a user {row.profile.username!r} already (--update would change them)."


def _workers() -> int:
    return os.cpu_count() or 1
