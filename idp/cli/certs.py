"""idp certs: signing keys and their certificates."""

from __future__ import annotations

import click

from idp.cli.lazy_group import LazyGroup

_COMMANDS = {
    "activate": "certs_activate:activate",
    "encrypt": "certs_encrypt:encrypt",
    "export": "certs_export:export",
    "generate": "certs_make:generate",
    "import": "certs_make:import_pair",
    "list": "certs_list:list_keys",
    "retire": "certs_retire:retire",
    "revoke": "certs_revoke:revoke",
    "rotate": "certs_rotate:rotate",
    "show": "certs_list:show",
    "status": "certs_status:status",
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
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
