"""idp certs retire: a key is published no longer."""

from __future__ import annotations

import json

import click

from idp.audit.admin_events import KeyRetired
from idp.audit.log import AuditLog, utc_now
from idp.cli.acting import acting_admin, command_origin
from idp.cli.context import open_database
from idp.cli.key_document import key_document
from idp.keys.lifecycle import find_key
from idp.keys.lifecycle import retire as retire_key


@click.command()
@click.argument("key", metavar="KEY")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def retire(context: click.Context, key: str, as_json: bool) -> None:
    """Publish a next or retiring key no longer. Its private half stays where it is.

    The active key can't retire: activate another one first.

    \b
    Examples:
      idp certs retire 3fa9
    """
    database = open_database(context)
    with database.writing() as session:
        before = find_key(session, key)
        after = retire_key(session, before.id, utc_now(), acting_admin())
        event = KeyRetired(
            actor=acting_admin(),
            subject=after.id,
            changes={"state": f"{before.state} → {after.state}", "fingerprint": after.fingerprint},
        )
        AuditLog(database).append(session, event, command_origin())
    if as_json:
        click.echo(json.dumps(key_document(after), indent=2))
    else:
        click.echo(f"Key {after.id} is retired; our metadata does not hold it any more.")
