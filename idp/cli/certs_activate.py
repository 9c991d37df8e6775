"""idp certs activate: a next key signs from now on, if every account knows it."""

from __future__ import annotations

import json

import click

from idp.cli.aws_selection import reach_of, reach_options
from idp.cli.context import open_database, settings_from
from idp.cli.key_document import key_document
from idp.cli.rotation_surroundings import surroundings
from idp.entitlements.store import stored_accounts
from idp.rotation.by_hand import activate_by_hand, look
from idp.rotation.plan import named_exclusions


@click.command()
@click.argument("key", metavar="KEY")
@click.option(
    "--despite",
    multiple=True,
    metavar="ACCOUNT",
    help="Even if this account has no such certificate: nobody signs in there. May be repeated.",
)
@reach_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def activate(
    context: click.Context,
    key: str,
    despite: tuple[str, ...],
    workers: int,
    timeout: float,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Let a next key sign from now on; the one before stays published, as retiring.

    Every registered AWS account is asked first, and must hold the certificate. `idp certs rotate`
    does all this, and the rest, by itself.

    Exit codes: 0 done, 2 refused or bad input.

    \b
    Examples:
      idp aws register --all && idp certs activate 3fa9
      idp certs activate 3fa9 --despite sandbox
    """
    settings, database = settings_from(context), open_database(context)
    reach = reach_of(settings, endpoint_url, timeout)
    with database.reading() as session:
        accepted = named_exclusions(stored_accounts(session), despite)
    with surroundings(context, reach, workers) as around:
        looked = look(around, key)
    for account, reason in looked.without:
        click.echo(f"{account.alias} ({account.number}): {reason}", err=True)
    activated = activate_by_hand(around, looked, accepted)
    if as_json:
        click.echo(json.dumps(key_document(activated), indent=2))
        return
    click.echo(f"Key {activated.id} signs from now on; {looked.active.id} is retiring.")
    for account, _reason in looked.without:
        click.echo(
            f"Mind: nobody can sign in to {account.alias} until it has the certificate: "
            f"idp aws register {account.alias}",
            err=True,
        )
