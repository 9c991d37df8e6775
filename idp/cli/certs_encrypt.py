"""idp certs encrypt: encrypt key files in place."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import click

from idp.audit.admin_events import KeyEncrypted
from idp.audit.log import AuditLog, utc_now
from idp.cli.acting import acting_admin, command_origin
from idp.cli.context import open_database, settings_from
from idp.db.engine import Database
from idp.keys.custody import FILE
from idp.keys.encryption_lock import alone
from idp.keys.file_custody import AtRest
from idp.keys.reencryption import (
    Encrypted,
    add_key_encryption_key,
    drop_old_key_encryption_keys,
    encrypt_file,
    require_encryption,
    require_key_encryption_key,
)
from idp.keys.signing_key import SigningKey
from idp.keys.steps import Step, note_step
from idp.keys.store import all_keys
from idp.settings import Settings


@click.command()
@click.option("--new-key", is_flag=True, help="Make a new key-encryption key first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def encrypt(context: click.Context, new_key: bool, as_json: bool) -> None:
    """Encrypt all key files as keys.encryption says, in place; those that are so stay as they are.

    With --new-key (for keys.encryption = "file") they are encrypted with a new key-encryption key,
    and the old one is removed when none of them needs it any more. It can be broken off at any
    point and run again. Running servers go on meanwhile; a second one of this command waits.

    \b
    Examples:
      idp certs encrypt
      idp certs encrypt --new-key
      IDP_KEYS__ENCRYPTION=kms idp certs encrypt
    """
    settings, database = settings_from(context), open_database(context)
    require_encryption(settings)
    with alone(database, settings):
        done = _encrypt(database, settings, new_key)
    if as_json:
        click.echo(json.dumps([_document(each) for each in done], indent=2))
        return
    for each in done:
        click.echo(f"Key {each.key.id}: {_words(each.before)} → {_words(each.after)}")
    if not done:
        click.echo("Every key file is encrypted as the settings say.")


def _encrypt(database: Database, settings: Settings, new_key: bool) -> list[Encrypted]:
    require_key_encryption_key(settings, _files(database))
    if new_key:
        add_key_encryption_key(settings)
    done = []
    for key in _files(database):
        changed = encrypt_file(key, settings)
        if changed is not None:
            _record(database, changed)
            done.append(changed)
    drop_old_key_encryption_keys(settings, _files(database))
    return done


def _files(database: Database) -> Sequence[SigningKey]:
    """Keys in files; not those that are published no longer and whose file somebody removed."""
    with database.reading() as session:
        keys = [key for key in all_keys(session) if key.custody == FILE]
    return [key for key in keys if key.state.published or os.path.lexists(key.locator)]


def _record(database: Database, changed: Encrypted) -> None:
    before, after = _words(changed.before), _words(changed.after)
    event = KeyEncrypted(
        actor=acting_admin(), subject=changed.key.id, changes={"before": before, "after": after}
    )
    with database.writing() as session:
        note_step(
            session,
            changed.key.id,
            Step.ENCRYPTED,
            utc_now(),
            acting_admin(),
            f"{before} → {after}",
        )
        AuditLog(database).append(session, event, command_origin())


def _document(each: Encrypted) -> dict[str, str]:
    return {"id": each.key.id, "before": _words(each.before), "after": _words(each.after)}


def _words(at_rest: AtRest) -> str:
    return f"{at_rest.kind} {at_rest.by}" if at_rest.by else "not encrypted"
