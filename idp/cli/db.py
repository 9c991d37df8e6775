"""idp db: the database's schema, its backup and its restore."""

from __future__ import annotations

import json
from pathlib import Path

import click

from idp.audit.admin_events import DatabaseBackedUp, DatabaseRestored
from idp.audit.events import AdminEvent
from idp.audit.log import AuditLog
from idp.cli.acting import acting_admin, command_origin
from idp.cli.context import open_database
from idp.db import schema
from idp.db.backup import BackedUp, back_up, require_place
from idp.db.backup import restore as put_back
from idp.db.engine import Database


@click.group()
def db() -> None:
    """The database: its schema, backup and restore.

    \b
    Examples:
      idp db status
      idp db upgrade
      idp db backup /backup/idp-monday.backup
      idp db restore /backup/idp-monday.backup
    """


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Compare the schema with this version's; exit code 1 if it is out of date."""
    database = open_database(context, any_schema=True)
    found = schema.status(database)
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    if as_json:
        click.echo(
            json.dumps(
                {
                    "database": kind,
                    "current": found.current,
                    "wanted": found.wanted,
                    "up_to_date": found.up_to_date,
                }
            )
        )
    elif found.up_to_date:
        click.echo(f"{kind}: schema {found.current}, up to date.")
    else:
        click.echo(
            f"{kind}: schema {found.current or 'empty'}, wanted {found.wanted}. Run: idp db upgrade"
        )
    context.exit(0 if found.up_to_date else 1)


@db.command()
@click.pass_context
def upgrade(context: click.Context) -> None:
    """Make the schema, or bring it up to date, in one transaction."""
    before = schema.upgrade(open_database(context, any_schema=True))
    if before.up_to_date:
        click.echo(f"Schema {before.wanted} is up to date; nothing to do.")
    else:
        click.echo(f"Schema upgraded: {before.current or 'empty'} → {before.wanted}.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.pass_context
def backup(context: click.Context, file: Path, force: bool) -> None:
    """Copy the whole database into FILE while the server runs.

    The copy is consistent, checked, and readable by this user alone. On PostgreSQL it is made by
    pg_dump. Private keys are not in it: back up the folder keys.folder too.

    \b
    Example:
      idp db backup /backup/idp-monday.backup
    """
    database = open_database(context)
    require_place(file, force=force)
    _record(database, DatabaseBackedUp, file.name)
    made = back_up(database, file, force=force)
    click.echo(f"Backed up to {made.file}: {_shown(made)}")


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace a database that has something in it.")
@click.pass_context
def restore(context: click.Context, file: Path, force: bool) -> None:
    """Put the copy in FILE in the place of the database; the server must be stopped.

    The copy is checked first: that it is whole, of a known schema, and that its audit chain ends
    at its head. A SQLite database that was there is kept as *.before-restore.

    \b
    Example:
      systemctl stop idp
      idp db restore --force /backup/idp-monday.backup
      idp db upgrade && idp check && systemctl start idp
    """
    database = open_database(context, any_schema=True)
    found = put_back(database, file, force=force)
    click.echo(f"Restored from {found.file}: {_shown(found)}")
    if schema.status(database).up_to_date:
        _record(database, DatabaseRestored, file.name, audit_seq=found.audit_seq)
    else:
        click.echo("Its schema is older than this version's. Run: idp db upgrade")


def _shown(made: BackedUp) -> str:
    return (
        f"{made.bytes:,} bytes, schema {made.revision}, "
        f"audit trail up to row {made.audit_seq:,} ({made.audit_hash[:16]}…)."
    )


def _record(database: Database, kind: type[AdminEvent], subject: str, **changes: object) -> None:
    event = kind(actor=acting_admin(), subject=subject, changes=changes)
    AuditLog(database).record(event, command_origin())
