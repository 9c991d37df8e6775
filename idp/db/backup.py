"""A copy of the whole database in one file, and putting it back; the same on both databases.

The file holds everything that the database holds, password hashes and secrets included, so only
we can read it. Private keys are not in it: their files, or the HSM, are backed up apart.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import func, inspect, select

from idp.db import schema
from idp.db.backup_contents import Contents
from idp.db.engine import Database
from idp.db.models import Base
from idp.db.postgresql_backup import PostgresqlCopies
from idp.db.sqlite_backup import SqliteCopies
from idp.errors import IdpError

# Written by an upgrade or a first start; they alone do not make a database worth keeping.
_BOOKKEEPING = {"audit_head", "secrets", "revisions"}


class BackupRefused(IdpError):
    """A backup can't be made or put back as things stand."""

    status = 409


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds: its schema's revision and the end of its audit chain."""

    file: Path
    bytes: int
    revision: str
    audit_seq: int
    audit_hash: str


class Copies(Protocol):
    """How one kind of database is copied. All raise IdpError."""

    def write(self, database: Database, file: Path) -> None:
        """Copy the database into `file`, an empty file that only we can read."""
        ...

    def inspect(self, file: Path) -> Contents:
        """Check that `file` is whole, and say what is in it."""
        ...

    def require_unused(self, database: Database) -> None:
        """Raise unless nobody else uses the database."""
        ...

    def replace(self, database: Database, file: Path) -> None:
        """Put the copy in the place of the database, whole or not at all."""
        ...


def copies_of(database: Database) -> Copies:
    """The way to copy this kind of database."""
    return SqliteCopies() if database.is_sqlite else PostgresqlCopies()


def require_place(file: Path, *, force: bool) -> None:
    """Raise BackupRefused unless a backup may be written there.

    Not over a file that is there already, unless `force` is set, and never over anything else.
    """
    if file.exists() and not file.is_file():
        raise BackupRefused(f"{file} is not a file.", "Name a file for the backup.")
    if file.exists() and not force:
        raise BackupRefused(
            f"There is a file {file} already.", "Choose another name, or add --force."
        )
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise BackupRefused(
            f"Nothing can be written beside {file}.", "Name a folder where this user may write."
        )


def back_up(database: Database, file: Path, *, force: bool) -> BackedUp:
    """Write a consistent copy into `file`, mode 0600, while the server runs.

    The copy is read again before the file appears, whole or not at all. Raises BackupRefused as
    require_place does.
    """
    require_place(file, force=force)
    copies = copies_of(database)
    partial = _empty_file_beside(file)
    try:
        copies.write(database, partial)
        contents = _checked(copies.inspect(partial), file, partial.stat().st_size)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return contents


def restore(database: Database, file: Path, *, force: bool) -> BackedUp:
    """Put the copy in `file` in the place of the database.

    Everything about the copy is checked before anything is touched. Raises BackupRefused if a
    server uses the database, or if there is something in it and `force` is not set.
    """
    if not file.is_file():
        raise BackupRefused(f"There is no file {file}.", "Name a backup made by: idp db backup")
    copies = copies_of(database)
    contents = _checked(copies.inspect(file), file, file.stat().st_size)
    if not force and (found := _what_is_in(database)):
        raise BackupRefused(
            f"The database is not empty: it has {found}.",
            "Back it up first; then add --force to replace it.",
        )
    database.close()
    copies.require_unused(database)
    copies.replace(database, file)
    return contents


def _checked(found: Contents, file: Path, size: int) -> BackedUp:
    revision = schema.require_known(found.revision)
    if found.head is None or (found.head.seq > 0 and found.last != found.head):
        raise BackupRefused(
            "The audit chain does not end at its head, so rows are missing or were changed.",
            "Look closer with: idp audit verify",
        )
    return BackedUp(file, size, revision, found.head.seq, found.head.hash)


def _what_is_in(database: Database) -> str:
    """What a restore would destroy, in words; "" if that is nothing."""
    with database.engine.connect() as connection:
        present = set(inspect(connection).get_table_names())
        for table in Base.metadata.sorted_tables:
            if table.name in present and table.name not in _BOOKKEEPING:
                rows = connection.scalar(select(func.count()).select_from(table))
                if rows:
                    return f"{rows:,} rows in {table.name}"
    return ""


def _empty_file_beside(file: Path) -> Path:
    path = file.with_name(f".{file.name}.{secrets.token_hex(4)}.partial")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as problem:
        raise BackupRefused(
            f"Nothing can be written beside {file}: {problem.strerror}.",
            "Name a folder where this user may write.",
        ) from None
    return path
