"""idp certs: signing keys and their certificates."""

from __future__ import annotations

import click

from idp.cli.certs_activate import activate
from idp.cli.certs_encrypt import encrypt
from idp.cli.certs_export import export
from idp.cli.certs_list import list_keys, show
from idp.cli.certs_make import generate, import_pair
from idp.cli.certs_retire import retire
from idp.cli.certs_revoke import revoke
from idp.cli.certs_rotate import rotate
from idp.cli.certs_status import status


@click.group()
def certs() -> None:
    """Signing keys and their certificates.

    A key is next (published, never signs), then active (signs), then retiring (published, signs
    no more), then retired; or revoked. One key is active at any time. KEY is an identifier or a
    SHA-256 fingerprint, or the beginning of one.

    \b
    Examples:
      idp certs generate       the first key signs at once, a later one is next
      idp certs list           all keys, as a picture of time
      idp certs show 3fa9      one key, and who did what with it
      idp certs export 3fa9 > idp.crt
      idp certs rotate         a new key, in every AWS account before it signs
    """


certs.add_command(list_keys)
certs.add_command(show)
certs.add_command(generate)
certs.add_command(import_pair)
certs.add_command(export)
certs.add_command(retire)
certs.add_command(activate)
certs.add_command(rotate)
certs.add_command(encrypt)
certs.add_command(revoke)
certs.add_command(status)
