"""idp db: the database's schema."""

from __future__ import annotations

import json

import click

from idp.cli.context import open_database
from idp.db import schema


@click.group()
def db() -> None:
    """The database's schema.

    \b
    Examples:
      idp db status
      idp db upgrade
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
