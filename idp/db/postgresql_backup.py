"""Copies of a PostgreSQL database: by its own pg_dump and pg_restore, in their custom format."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import text

from idp.db.backup_contents import ChainEnd, Contents
from idp.db.engine import Database
from idp.errors import IdpError


class PostgresqlCopyRefused(IdpError):
    """A PostgreSQL database can't be copied or replaced as things stand."""

    status = 409


class PostgresqlCopies:
    """The file is an archive of pg_dump; other tools of PostgreSQL read it too."""

    def write(self, database: Database, file: Path) -> None:
        """A dump is one transaction, so it is consistent while others write."""
        options = ["--format=custom", "--no-owner", f"--file={file}"]
        _run([_find("pg_dump"), *options, _target(database)], _password(database))

    def inspect(self, file: Path) -> Contents:
        """Have pg_restore read the archive to its end, and look at three of its tables."""
        _run([_find("pg_restore"), f"--file={os.devnull}", str(file)])
        revision: str | None = None
        head: ChainEnd | None = None
        last: ChainEnd | None = None
        for row in _rows(file, "alembic_version"):
            revision = row["version_num"]
        for row in _rows(file, "audit_head"):
            head = ChainEnd(int(row["seq"]), row["hash"])
        for row in _rows(file, "audit_events"):
            if last is None or int(row["seq"]) > last.seq:
                last = ChainEnd(int(row["seq"]), row["hash"])
        return Contents(revision, head, last)

    def require_unused(self, database: Database) -> None:
        """Nobody else may be connected to this database."""
        query = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        with database.engine.connect() as connection:
            others = connection.scalar(query)
        database.close()
        if others:
            raise PostgresqlCopyRefused(
                f"The database is in use: there are {others} other connections.",
                "Stop the server on every node first: systemctl stop idp",
            )

    def replace(self, database: Database, file: Path) -> None:
        """One transaction drops what is there and makes what is in the archive."""
        options = ["--single-transaction", "--exit-on-error", "--no-owner", "--clean"]
        command = [_find("pg_restore"), *options, "--if-exists", _target(database), str(file)]
        _run(command, _password(database))


def _target(database: Database) -> str:
    url = database.engine.url.set(drivername="postgresql", password=None)
    return f"--dbname={url.render_as_string()}"


def _password(database: Database) -> dict[str, str]:
    """The password goes by the environment; the command line is for everybody to see."""
    password = database.engine.url.password
    return {"PGPASSWORD": str(password)} if password else {}


def _run(command: list[str], secret: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **(secret or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise PostgresqlCopyRefused(f"PostgreSQL refused: {said}.")


def _rows(file: Path, table: str) -> Iterator[dict[str, str]]:
    """The rows of a table in the archive, as pg_restore writes them for COPY."""
    command = [_find("pg_restore"), "--data-only", f"--table={table}", "--file=-", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        columns: list[str] | None = None
        for line in process.stdout or ():
            if line.startswith("COPY ") and columns is None:
                columns = line[line.index("(") + 1 : line.index(")")].split(", ")
            elif line == "\\.\n":
                columns = None
            elif columns is not None:
                yield dict(zip(columns, line.rstrip("\n").split("\t"), strict=True))


def _find(program: str) -> str:
    """The newest one; an older pg_dump refuses a newer server."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=_version)
    found = str(versions[-1]) if versions else shutil.which(program)
    if found is None:
        raise PostgresqlCopyRefused(
            f"{program} is not installed.",
            "Install PostgreSQL's client programs, such as the package postgresql-client.",
        )
    return found


def _version(path: Path) -> float:
    try:
        return float(path.parts[-3])
    except ValueError:
        return 0.0
