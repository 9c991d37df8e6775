"""idp certs export: a certificate for others; the private key only for a reason on record."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from cryptography.hazmat.primitives import serialization

from idp.audit.admin_events import KeyExported
from idp.audit.log import AuditLog, utc_now
from idp.audit.text import printable
from idp.cli.acting import acting_admin, command_origin
from idp.cli.context import open_database, settings_from
from idp.cli.passphrase_input import given_passphrase, passphrase_options
from idp.db.engine import Database
from idp.errors import IdpError
from idp.keys.certificate import to_pem
from idp.keys.custody import read_private_key
from idp.keys.lifecycle import find_key
from idp.keys.private_file import write_new
from idp.keys.signing_key import SigningKey
from idp.keys.steps import Step, note_step

LONGEST_REASON = 500


class ExportRefused(IdpError):
    """A private key is not given out this way."""


@click.command()
@click.argument("key", metavar="KEY")
@click.option("--der", is_flag=True, help="The certificate in DER, not PEM.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="A new file, or - for standard output."
)
@click.option("--private", is_flag=True, help="The private key, not the certificate.")
@click.option("--reason", metavar="TEXT", help="With --private: why, for the audit trail.")
@passphrase_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON; a private key is never in it.")
@click.pass_context
def export(
    context: click.Context,
    key: str,
    der: bool,
    out: Path | None,
    private: bool,
    reason: str | None,
    passphrase_file: Path | None,
    passphrase_env: str | None,
    as_json: bool,
) -> None:
    """Give out a key's certificate.

    With --private and --reason it is the private key of a key in a file (PKCS#8 in PEM, encrypted
    if a passphrase is given). The audit trail has it before you do. Keys in tokens and clouds
    never leave them.

    \b
    Examples:
      idp certs export 3fa9 > idp.crt
      idp certs export 3fa9 --der --out idp.cer
      idp certs export 3fa9 --json | jq -r .certificate
      idp certs export 3fa9 --private --reason "move to the new site" --out idp.key
    """
    with open_database(context).reading() as session:
        found = find_key(session, key)
    if not private:
        if reason or passphrase_file or passphrase_env:
            raise click.UsageError("--reason and the passphrase are for --private.")
        if as_json and (out is None or str(out) == "-"):
            if der:
                raise click.UsageError(
                    "JSON has the certificate in PEM; for --der name --out FILE."
                )
        else:
            _give(_certificate(found, der), out, "The certificate file", quietly=as_json)
        if as_json:
            _tell(found, out, certificate=to_pem(found.certificate))
        return
    if der:
        raise click.UsageError("--der is for certificates; private keys are given in PEM.")
    if out is None:
        raise ExportRefused(
            "A private key is written to a new file, and none was named.",
            "Give --out FILE; or --out - for standard output, if you really want that.",
        )
    if as_json and str(out) == "-":
        raise click.UsageError("A private key is never in JSON: name --out FILE.")
    if str(out) != "-" and (out.exists() or out.is_symlink()):
        raise ExportRefused(f"{out} is there already.", "Name a file that is not.")
    why = _reason(reason)
    passphrase = given_passphrase(passphrase_file, passphrase_env)
    pem = _private(context, found, passphrase)
    _record(open_database(context), found, why, encrypted=passphrase is not None)
    _give(pem, out, "The private key", quietly=as_json)
    if as_json:
        _tell(found, out, reason=why, with_passphrase=passphrase is not None)


def _certificate(key: SigningKey, der: bool) -> bytes:
    if der:
        return key.certificate.public_bytes(serialization.Encoding.DER)
    return to_pem(key.certificate).encode()


def _reason(text: str | None) -> str:
    reason = printable((text or "").strip(), LONGEST_REASON)
    if not reason:
        raise ExportRefused(
            "A private key is given out for a reason only, which the audit trail keeps.",
            'Give --reason "…".',
        )
    return reason


def _private(context: click.Context, key: SigningKey, passphrase: bytes | None) -> bytes:
    private = read_private_key(key, settings_from(context))
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def _record(database: Database, key: SigningKey, reason: str, *, encrypted: bool) -> None:
    with database.writing() as session:
        note_step(session, key.id, Step.EXPORTED, utc_now(), acting_admin(), reason)
        event = KeyExported(
            actor=acting_admin(),
            subject=key.id,
            changes={
                "reason": reason,
                "fingerprint": key.fingerprint,
                "with_passphrase": encrypted,
            },
        )
        AuditLog(database).append(session, event, command_origin())


def _tell(key: SigningKey, out: Path | None, **told: str | bool) -> None:
    file = None if out is None or str(out) == "-" else str(out)
    document = {"id": key.id, "fingerprint": key.fingerprint, "file": file, **told}
    click.echo(json.dumps(document, indent=2))


def _give(content: bytes, out: Path | None, what: str, *, quietly: bool) -> None:
    if out is None or str(out) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    write_new(out, content, what)
    if not quietly:
        click.echo(f"{what} is in {out}.", err=True)
