"""Copies of a SQLite database: by its online backup, put back by one atomic rename."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from idp.db.backup_contents import ChainEnd, Contents
from idp.db.engine import Database
from idp.errors import IdpError

_MAGIC = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html, section 1.3


class SqliteCopyRefused(IdpError):
    """A SQLite database can't be copied or replaced as things stand."""

    status = 409


class SqliteCopies:
    """The file is itself a SQLite database, without a write-ahead log beside it."""

    def write(self, database: Database, file: Path) -> None:
        """Copy in one step: in steps it would begin anew whenever somebody writes in between."""
        try:
            with (
                closing(sqlite3.connect(_path(database), timeout=10)) as source,
                closing(sqlite3.connect(file)) as copy,
            ):
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as problem:
            raise SqliteCopyRefused(f"The database can't be copied: {problem}.") from None

    def inspect(self, file: Path) -> Contents:
        """Have SQLite read every page and every index."""
        with file.open("rb") as beginning:
            if beginning.read(len(_MAGIC)) != _MAGIC:
                raise SqliteCopyRefused(
                    f"{file} is not a SQLite database.", "Name a backup made by: idp db backup"
                )
        try:
            with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as copy:
                problem = _problem(copy)
                contents = None if problem else _contents(copy)
        except sqlite3.Error as broken:
            problem, contents = str(broken), None
        if contents is None:
            raise SqliteCopyRefused(f"{file} is damaged: {problem}.", "Use another backup.")
        return contents

    def require_unused(self, database: Database) -> None:
        """Leaving the write-ahead log works only for the one connection that is left."""
        path = Path(_path(database))
        if not path.exists():
            return
        try:
            with closing(sqlite3.connect(path, timeout=0)) as own:
                own.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError:
            raise SqliteCopyRefused(
                f"The database {path} is in use.",
                "Stop the server first: systemctl stop idp",
            ) from None
        except sqlite3.DatabaseError:
            return  # damaged, which may be why somebody restores

    def replace(self, database: Database, file: Path) -> None:
        """Keep the old database as *.before-restore, and rename the copy over it."""
        path = Path(_path(database))
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
        try:
            os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            shutil.copyfile(file, fresh)
            with fresh.open("rb") as written:
                os.fsync(written.fileno())
            if path.exists():
                before = path.with_name(path.name + ".before-restore")
                before.unlink(missing_ok=True)
                before.hardlink_to(path)
            for suffix in ("-wal", "-shm"):  # of the old one; SQLite would play them into the new
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            fresh.replace(path)
            _sync_folder(path.parent)
        except OSError as problem:
            raise SqliteCopyRefused(f"{path} can't be replaced: {problem.strerror}.") from None
        finally:
            fresh.unlink(missing_ok=True)


def _problem(copy: sqlite3.Connection) -> str:
    found: str = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        return found
    return "rows point nowhere" if copy.execute("PRAGMA foreign_key_check").fetchone() else ""


def _contents(copy: sqlite3.Connection) -> Contents:
    def first(query: str) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = copy.execute(query).fetchone()
        return row

    if first("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'") is None:
        return Contents(None, None, None)
    revision = first("SELECT version_num FROM alembic_version")
    head = first("SELECT seq, hash FROM audit_head")
    last = first("SELECT seq, hash FROM audit_events ORDER BY seq DESC LIMIT 1")
    return Contents(
        revision[0] if revision else None,
        ChainEnd(*head) if head else None,
        ChainEnd(*last) if last else None,
    )


def _path(database: Database) -> str:
    return str(database.engine.url.database)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
