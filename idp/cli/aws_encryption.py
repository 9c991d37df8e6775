"""idp aws encryption: assertions that nobody but AWS can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from idp.aws import encryption as engine
from idp.cli.aws_encryption_run import Asked, run_change
from idp.cli.aws_encryption_status import status
from idp.cli.aws_selection import reach_options
from idp.cli.seconds import Seconds

Command = Callable[..., Any]


@click.group()
def encryption() -> None:
    """Encrypted assertions: nobody but AWS can read what the browser carries there.

    \b
    Examples:
      idp aws encryption enable dev --update-trust
      idp aws encryption rotate --all
      idp aws encryption status
    """


encryption.add_command(status)


def _change_options(command: Command) -> Command:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        reach_options,
        click.option(
            "--settle",
            type=Seconds(0, 300),
            default=10,
            show_default=True,
            help="Seconds that AWS's copies, and assertions on their way, are given.",
        ),
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
        click.option("--all", "everything", is_flag=True, help="Every registered account."),
        click.argument("accounts", nargs=-1, metavar="[ACCOUNT]..."),
    ):
        command = option(command)
    return command


def _key_options(command: Command) -> Command:
    for option in (
        click.option(
            "--probe-role",
            "probe_roles",
            multiple=True,
            metavar="ARN",
            help="A role to assume for real with the new key; one for each account at most.",
        ),
        click.option(
            "--bits",
            type=click.Choice(["2048", "3072", "4096"]),
            default="3072",
            show_default=True,
            help="Length of the new RSA key.",
        ),
    ):
        command = option(command)
    return command


@encryption.command()
@click.option(
    "--update-trust", is_flag=True, help="Add the new address to trust policies that lack it."
)
@click.option(
    "--no-trust-check", is_flag=True, help="Don't look at trust policies: they are right already."
)
@_key_options
@_change_options
@click.pass_context
def enable(
    context: click.Context, /, update_trust: bool, no_trust_check: bool, **options: Any
) -> None:
    """Encrypt assertions for accounts, and let AWS refuse any other.

    For each account: makes an RSA key pair, gives the private half to the IAM SAML provider and
    keeps the public one; sends people to the provider's own address; proves it with --probe-role;
    then sets AssertionEncryptionMode to Required. The private half is never written here. If
    anything fails, all of it is undone. Cut off at any point and run again, it ends right.

    Each role's trust policy must allow the new address as SAML:aud. The change is shown; with
    --update-trust it is made, beside what the policy allows already.

    Exit codes: 0 all accounts are as wanted, 1 some are not, 2 bad input.

    \b
    Examples:
      idp aws encryption enable dev --dry-run
      idp aws encryption enable dev --update-trust
      idp aws encryption enable dev --probe-role arn:aws:iam::111122223333:role/IdpProbe
    """
    asked = Asked.of(**options, update_trust=update_trust, check_trust=not no_trust_check)
    run_change(context, asked, engine.enable)


@encryption.command()
@_key_options
@_change_options
@click.pass_context
def rotate(context: click.Context, /, **options: Any) -> None:
    """Give accounts with encryption a new key, and take the old one away from IAM.

    AWS tries the newest key first and the other one after it, so nobody's sign-in fails.

    \b
    Examples:
      idp aws encryption rotate dev
      idp aws encryption rotate --all --json
    """
    run_change(context, Asked.of(**options), engine.rotate)


@encryption.command()
@_change_options
@click.pass_context
def disable(context: click.Context, /, **options: Any) -> None:
    """Send assertions in plain again, and remove our keys from IAM.

    Sign-in URLs go on carrying the provider's identifier, as trust policies may ask for it.

    \b
    Examples:
      idp aws encryption disable dev
    """
    run_change(context, Asked.of(**options), engine.disable)
