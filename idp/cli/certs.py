"""idp certs: signing keys and their certificates."""

from __future__ import annotations

import json
import sys

import click

from idp.audit.admin_events import KeyGenerated
from idp.audit.log import AuditLog, utc_now
from idp.cli.acting import acting_admin, command_origin
from idp.cli.certs_revoke import revoke
from idp.cli.certs_status import status
from idp.cli.context import open_database, settings_from
from idp.keys.publication import PublishedCertificate
from idp.keys.store import all_keys, generate_key


@click.group()
def certs() -> None:
    """Signing keys and their certificates.

    \b
    Examples:
      idp certs generate     the first key signs at once
      idp certs list
    """


certs.add_command(revoke)
certs.add_command(status)


@certs.command()
@click.pass_context
def generate(context: click.Context) -> None:
    """Make an RSA key and its certificate; the first one signs, a later one is published."""
    settings = settings_from(context)
    database = open_database(context)
    with database.writing() as session:
        key = generate_key(
            session,
            settings,
            now=utc_now(),
            actor=acting_admin(),
        )
        event = KeyGenerated(
            actor=acting_admin(),
            subject=key.id,
            changes={"state": key.state, "fingerprint": key.fingerprint},
        )
        AuditLog(database).append(session, event, command_origin())
    click.echo(f"Key {key.id} ({key.state}), RSA {key.bits}, in {key.locator}")


@certs.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_keys(context: click.Context, as_json: bool) -> None:
    """All keys, oldest first."""
    with open_database(context).reading() as session:
        keys = all_keys(session)
    found = [(key, PublishedCertificate.of(key)) for key in keys]
    if as_json:
        rows = [
            {
                "id": key.id,
                "state": key.state,
                "custody": key.custody,
                "fingerprint": key.fingerprint,
                "bits": key.bits,
                "not_before": certificate.not_before.isoformat(),
                "not_after": certificate.not_after.isoformat(),
            }
            for key, certificate in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    to_people = sys.stdout.isatty()
    form = "{:<16}  {:<8}  {:<7}  {:<8}  {:<10}  {}" if to_people else "\t".join(["{}"] * 6)
    if to_people:
        click.echo(form.format("KEY", "STATE", "CUSTODY", "TYPE", "UNTIL", "SHA-256"))
    for key, certificate in found:
        until = certificate.not_after.date().isoformat()
        click.echo(
            form.format(
                key.id, key.state, key.custody, certificate.algorithm, until, key.fingerprint
            )
        )
