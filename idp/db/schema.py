"""The schema's version: bring it up to date, or refuse to serve on an old one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from idp.db.engine import Database
from idp.errors import IdpError

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


class SchemaOutOfDate(IdpError):
    """The database's schema is not the one that this version works with."""

    status = 503


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """`current` and `wanted` are Alembic revisions; `current` is None for an empty database."""

    current: str | None
    wanted: str
    known: bool

    @property
    def up_to_date(self) -> bool:
        """Whether this version can serve on it."""
        return self.current == self.wanted


def status(database: Database) -> SchemaStatus:
    """Compare the database's schema with this version's."""
    database.check()
    scripts = ScriptDirectory.from_config(_config(database))
    with database.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    known = current is None or current in {script.revision for script in scripts.walk_revisions()}
    wanted = scripts.get_current_head()
    if wanted is None:
        raise SchemaOutOfDate(
            f"There are no migrations in {MIGRATIONS}.", "Install the project whole."
        )
    return SchemaStatus(current, wanted, known)


def upgrade(database: Database) -> SchemaStatus:
    """Run the missing migrations in one transaction; give the status as it was before.

    Raises SchemaOutOfDate for a schema of a newer version.
    """
    before = status(database)
    _refuse_newer(before)
    if not before.up_to_date:
        with database.engine.execution_options(write=True).begin() as connection:
            config = _config(database)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return before


def require_current(database: Database) -> None:
    """Raise SchemaOutOfDate, with the command to run, unless the schema is this version's."""
    found = status(database)
    _refuse_newer(found)
    if not found.up_to_date:
        raise SchemaOutOfDate(
            f"The database's schema is {found.current or 'empty'}, "
            f"this version needs {found.wanted}.",
            "Run: idp db upgrade",
        )


def require_known(revision: str | None) -> str:
    """The same revision. Raises SchemaOutOfDate if there is none, or one of a newer version."""
    if revision is None:
        raise SchemaOutOfDate("There is no schema in it.", "Name a backup made by: idp db backup")
    scripts = ScriptDirectory(str(MIGRATIONS))
    known = {script.revision for script in scripts.walk_revisions()}
    _refuse_newer(SchemaStatus(revision, scripts.get_current_head() or "", revision in known))
    return revision


def _refuse_newer(found: SchemaStatus) -> None:
    if not found.known:
        raise SchemaOutOfDate(
            f"The database's schema {found.current} is not one that this version knows.",
            "It was made by a newer version: install that one, or restore a backup.",
        )


def _config(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = database.engine.url
    return config
