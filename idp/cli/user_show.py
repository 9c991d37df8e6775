"""idp user show: one person of the local directory, and the names that AWS knows them by."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

import click

from idp.cli.context import open_database, settings_from
from idp.cli.released_names import described
from idp.directory.configured import local_directory
from idp.directory.local_accounts import account_document
from idp.sso.claimed_names import HeldName, names_of


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def show(context: click.Context, name: str, as_json: bool) -> None:
    """Show all that is kept of a person, with the names that AWS knows them by.

    \b
    Example:
      idp user show ann
    """
    database = open_database(context)
    account = local_directory(settings_from(context), database).account(name)
    document = account_document(account)
    with database.reading() as session:
        names = names_of(session, account.person.directory, account.person.directory_id)
    if as_json:
        document["names"] = [_name_document(each) for each in names]
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    attributes = document.pop("attributes")
    for label, value in {**document, **attributes}.items():
        for each in value if isinstance(value, list) else [value]:
            shown = {None: "", True: "yes", False: "no"}.get(each, each)
            click.echo(f"{label.replace('_', ' ')}: {shown}".rstrip())
    for held in names:
        click.echo(f"holds: {described(held)}")


def _name_document(held: HeldName) -> dict[str, Any]:
    claimed_at = held.claimed_at.astimezone(UTC).isoformat(timespec="seconds")
    return {"kind": held.kind, "name": held.name, "claimed_at": claimed_at}
