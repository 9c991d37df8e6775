"""idp certs generate, import: a key comes into being here, or comes from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import click

from idp.audit.admin_events import KeyGenerated, KeyImported
from idp.audit.events import AdminEvent
from idp.audit.log import AuditLog, utc_now
from idp.cli.acting import acting_admin, command_origin
from idp.cli.context import open_database, settings_from
from idp.cli.given_file import others_can_read, read_given
from idp.cli.key_document import key_document
from idp.cli.passphrase_input import asked_passphrase, given_passphrase, passphrase_options
from idp.keys.custody import CUSTODIES, FILE
from idp.keys.importing import Pair, PassphraseNeeded, imported_key, read_pair
from idp.keys.new_key import generated_key
from idp.keys.signing_key import SigningKey
from idp.keys.store import require_room


@click.command()
@click.option(
    "--custody",
    type=click.Choice(CUSTODIES),
    default=FILE,
    show_default=True,
    help="Where the private key is made and kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def generate(context: click.Context, custody: str, as_json: bool) -> None:
    """Make an RSA key and its certificate; the first one signs, a later one is next.

    Its length and the certificate's days are settings: keys.rsa_bits, keys.certificate_days.

    \b
    Examples:
      idp certs generate
      idp certs generate --custody pkcs11
      IDP_KEYS__RSA_BITS=4096 idp certs generate --json
    """
    settings, database = settings_from(context), open_database(context)
    with database.reading() as session:
        require_room(session)  # before a token or a cloud is bothered; seen to again with the row
    with (
        generated_key(
            database, settings, now=utc_now(), custody=custody, actor=acting_admin()
        ) as new,
        database.writing() as session,
    ):
        key = new.write_down(session)
        AuditLog(database).append(session, _event(KeyGenerated, key), command_origin())
    _tell(key, as_json)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--certificate",
    "certificate_file",
    type=click.Path(path_type=Path),
    help="The certificate (PEM or DER), if it is not in FILE.",
)
@passphrase_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def import_pair(
    context: click.Context,
    file: Path,
    certificate_file: Path | None,
    passphrase_file: Path | None,
    passphrase_env: str | None,
    as_json: bool,
) -> None:
    """Take in a private key that was made elsewhere, with its certificate, into custody "file".

    FILE is PEM or PKCS#12. The key becomes next; active if there is no active key. The passphrase
    of an encrypted FILE is asked for, or read from a file or a variable. Whoever had the key
    before could still sign with it: make a new one as soon as you can.

    \b
    Examples:
      idp certs import idp.pem
      idp certs import idp.key --certificate idp.crt --passphrase-file secret.txt
      idp certs import old-idp.p12
    """
    settings, database = settings_from(context), open_database(context)
    content = read_given(file, "The key file")
    certificate = read_given(certificate_file, "The certificate file") if certificate_file else None
    passphrase = given_passphrase(passphrase_file, passphrase_env)
    pair = _pair(content, certificate, passphrase)
    with (
        imported_key(database, settings, pair, utc_now(), acting_admin()) as new,
        database.writing() as session,
    ):
        key = new.write_down(session)
        AuditLog(database).append(session, _event(KeyImported, key), command_origin())
    _tell(key, as_json)
    if others_can_read(file):
        click.echo(f"Mind: others can read {file}, which holds the private key.", err=True)


def _pair(content: bytes, certificate: bytes | None, passphrase: bytes | None) -> Pair:
    try:
        return read_pair(content, certificate, passphrase, utc_now())
    except PassphraseNeeded:
        typed = asked_passphrase()
        if typed is None:
            raise
        return read_pair(content, certificate, typed, utc_now())


def _event(kind: type[AdminEvent], key: SigningKey) -> AdminEvent:
    changes = {
        "state": key.state.value,
        "custody": key.custody,
        "algorithm": key.algorithm,
        "fingerprint": key.fingerprint,
    }
    return kind(actor=acting_admin(), subject=key.id, changes=changes)


def _tell(key: SigningKey, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(key_document(key), indent=2))
    else:
        click.echo(f"Key {key.id} ({key.state}), {key.algorithm}, in {key.locator}")
