"""The idp command."""

from __future__ import annotations

import logging
import resource
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import click

from idp import __version__
from idp.cli.accidents import in_words
from idp.cli.standard_streams import end_output, open_closed_ones
from idp.directory.interface import DirectoryUnavailable
from idp.errors import IdpError

GROUPS = {
    "aws": "The AWS accounts that roles lie in.",
    "audit": "Read the audit trail.",
    "certs": "Signing keys and their certificates.",
    "check": "Say what is wrong, missing or unsafe, before serving.",
    "db": "The database: schema, backup, restore.",
    "directory": "The places where people live: is all well, who is in them.",
    "demo": "Everything at once, with a sandbox AWS and demo people.",
    "metadata": "The metadata that IAM admins register.",
    "roles": "Who gets which AWS role, and why.",
    "sandbox": "An AWS on loopback that refuses what AWS refuses.",
    "serve": "Serve the sign-in pages.",
    "settings": "Every setting: its value, its default, what it means.",
    "user": "People of the local directory.",
}


class Commands(click.Group):
    """Imports a command group only when it is called, so that the command starts at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All groups, in alphabetical order."""
        return sorted(GROUPS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The group `name`, from the module of that name."""
        if name not in GROUPS:
            return None
        command: click.Command = getattr(import_module(f"idp.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the groups without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, GROUPS[name]) for name in self.list_commands(ctx)])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    help="Settings file. Default: $IDP_CONFIG, then ./idp.toml.",
)
@click.version_option(__version__, prog_name="idp")
def idp(config: Path | None) -> None:
    """A SAML 2.0 identity provider made for AWS.

    \b
    Examples:
      idp check                       is everything ready to serve?
      idp db upgrade                  make or update the database
      idp user add ann --group admins asks for the password
      idp roles plan roles.toml       what would change, for whom
      idp serve                       the sign-in pages

    Settings come from idp.toml and IDP_* variables (IDP_SERVER__PORT=8080).
    Exit codes: 0 done, 1 a check or search found something wrong, 2 bad input.
    """  # `config` is read from the root's parameters by idp.cli.context


def run() -> None:
    """Run the command; every refusal becomes one sentence and exit code 2.

    No core is dumped, for it would hold private keys and passwords; a service that may not set
    its own limits, as under systemd's filter of system calls, has LimitCORE=0 for that.
    """
    open_closed_ones()
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A command tells what it has to tell itself; `idp serve` sets its log up.
    logging.getLogger("idp").addHandler(logging.NullHandler())
    try:
        try:
            idp(prog_name="idp")
        finally:
            end_output()
    except DirectoryUnavailable as refusal:
        click.echo(f"idp: {refusal.message}", err=True)
        click.echo(f"     See why with: idp directory check {refusal.directory}", err=True)
        sys.exit(2)
    except IdpError as refusal:
        _say(refusal)
        sys.exit(2)
    except Exception as accident:
        told = in_words(accident, sys.argv[1:])
        if told is None:
            raise
        _say(told)
        sys.exit(2)


def _say(refusal: IdpError) -> None:
    click.echo(f"idp: {refusal.message}", err=True)
    if refusal.advice:
        click.echo(f"     {refusal.advice}", err=True)
