"""idp metadata: the document that IAM admins register."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from idp.audit.log import utc_now
from idp.cli.context import open_database, settings_from
from idp.errors import IdpError
from idp.keys.publication import publish_metadata


@click.group()
def metadata() -> None:
    """The metadata that IAM admins register.

    \b
    Examples:
      idp metadata export idp-metadata.xml
      idp metadata export | xmllint --format -
      idp metadata show --json
    """


@metadata.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.pass_context
def export(context: click.Context, file: Path | None) -> None:
    """Write the metadata, UTF-8 without a byte order mark, to FILE or to standard output."""
    with open_database(context).reading() as session:
        found = publish_metadata(session, settings_from(context), utc_now())
    if file is None:
        sys.stdout.buffer.write(found.xml)
        return
    try:
        file.write_bytes(found.xml)
    except OSError as problem:
        raise IdpError(
            f"{file} can't be written: {problem.strerror}.", "Name another file."
        ) from None
    click.echo(f"{file}: {len(found.xml):,} bytes, {len(found.certificates)} certificate(s)")


@metadata.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def show(context: click.Context, as_json: bool) -> None:
    """What the metadata says: our entityID and the published certificates."""
    settings = settings_from(context)
    with open_database(context).reading() as session:
        found = publish_metadata(session, settings, utc_now())
    if as_json:
        certificates = [
            {
                "key": certificate.key_id,
                "state": certificate.state,
                "fingerprint": certificate.fingerprint,
                "not_after": certificate.not_after.isoformat(),
            }
            for certificate in found.certificates
        ]
        shown = {"entity_id": settings.entity_id, "etag": found.etag, "certificates": certificates}
        click.echo(json.dumps(shown, indent=2))
        return
    click.echo(f"entityID   {settings.entity_id}")
    click.echo(f"address    {settings.server.base_url}/metadata")
    for certificate in found.certificates:
        until = certificate.not_after.date().isoformat()
        click.echo(f"{certificate.state:<10} {certificate.fingerprint}  until {until}")
