"""idp roles import-adfs and import-okta: the patterns that a company has already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

import click

from idp.cli.context import settings_from
from idp.cli.roles_people import configured_directories
from idp.entitlements.dn import parse_dn
from idp.entitlements.importing.adfs import import_claim_rules
from idp.entitlements.importing.imported import Imported, rules_file_of
from idp.entitlements.importing.okta import import_okta_settings
from idp.errors import IdpError

LARGEST_FILE = 1024 * 1024  # bytes

Command = TypeVar("Command", bound=Callable[..., Any])


class BadImport(IdpError):
    """A file can't be read, or nobody said which directory it is about."""


def _import_options(command: Command) -> Command:
    for option in (
        click.option(
            "--group-base",
            multiple=True,
            metavar="DN",
            help="Only groups below it count; asked for unless the directory is a local one.",
        ),
        click.option("--directory", help="Whose people the rules are for, if there are several."),
        click.argument("file", type=click.File("rb")),
    ):
        command = option(command)
    return command


@click.command("import-adfs")
@_import_options
@click.pass_context
def import_adfs(
    context: click.Context, file: BinaryIO, directory: str | None, group_base: tuple[str, ...]
) -> None:
    """Print a rules file that does what claim rules of AD FS did. Changes nothing.

    FILE holds the claim rules as text. What has no counterpart is named in comments with the
    reason, and the command ends with 1 if nothing could be taken over.

    \b
    Examples:
      idp roles import-adfs claims.txt > roles.toml
      idp roles import-adfs claims.txt --directory corp --group-base OU=AWS,DC=corp,DC=example
    """
    _print(context, import_claim_rules(_text(file), *_whose(context, directory, group_base)))


@click.command("import-okta")
@_import_options
@click.pass_context
def import_okta(
    context: click.Context, file: BinaryIO, directory: str | None, group_base: tuple[str, ...]
) -> None:
    """Print a rules file that does what the group mapping of Okta's AWS app did.

    FILE holds the app's settings: JSON as Okta's API gives it, or the lines of the page, like
    "Group Filter: ^aws..." and "Role Value Pattern: arn:...".

    \b
    Examples:
      idp roles import-okta okta.json > roles.toml
      idp roles import-okta okta.txt --directory corp --group-base OU=AWS,DC=corp,DC=example
    """
    _print(context, import_okta_settings(_text(file), *_whose(context, directory, group_base)))


def _whose(
    context: click.Context, directory: str | None, bases: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """The directory, and the DNs below which its groups count."""
    known = configured_directories(settings_from(context))
    names = ", ".join(sorted(known))
    if directory is None and len(known) > 1:
        raise BadImport("There are several directories.", f"Give --directory: one of {names}.")
    name = directory or next(iter(known))
    if name not in known:
        raise BadImport(f"There is no directory {name[:80]!r}.", f"Configured are: {names}.")
    for base in bases:
        parse_dn(base)
    if known[name] != "local" and not bases:
        raise BadImport(
            f"Whoever can create a group anywhere in {name} could name himself an administrator.",
            "Give --group-base: the DN below which only your administrators create groups.",
        )
    return name, bases


def _text(file: BinaryIO) -> str:
    content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise BadImport(f"The file is larger than {LARGEST_FILE:,} bytes.")
    # PowerShell writes UTF-16 with its mark when it redirects.
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise BadImport("The file is not text in UTF-8 or UTF-16.", "Save it as UTF-8.") from None


def _print(context: click.Context, imported: Imported) -> None:
    click.echo(rules_file_of(imported), nl=False)
    for sentence in imported.left:
        click.echo(f"Not taken over: {sentence}", err=True)
    context.exit(0 if imported.rules else 1)
