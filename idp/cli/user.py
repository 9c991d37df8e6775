"""idp user: people of the local directory."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from idp.audit.admin_events import (
    UserAdded,
    UserDisabled,
    UserEnabled,
    UserGroupsSet,
    UserPasswordSet,
    UsersImported,
)
from idp.audit.events import AdminEvent
from idp.audit.log import AuditLog
from idp.cli.acting import acting_admin, command_origin
from idp.cli.context import open_database, settings_from
from idp.cli.password_input import new_password, password_options
from idp.cli.progress import progress_bar
from idp.cli.released_names import release_name
from idp.cli.user_show import show
from idp.directory.configured import local_directory
from idp.directory.import_rows import ImportFormat
from idp.directory.local import LocalDirectory
from idp.directory.local_accounts import LocalAccount, account_document
from idp.directory.passwords import Passwords
from idp.directory.user_import import apply_import, expected_seconds, plan_import

_FORMATS: dict[str, ImportFormat] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@click.group()
def user() -> None:
    """People of the local directory.

    \b
    Examples:
      idp user add ann --display-name "Ann Lee" --group admins
      idp user list --group admins
      idp user import people.csv --dry-run
    """


user.add_command(release_name)
user.add_command(show)

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@user.command()
@click.argument("name")
@click.option("--display-name", default="", help="As pages greet them. Default: NAME.")
@click.option("--email", default="", help="E-mail address.")
@click.option("--group", "groups", multiple=True, help="A group; may be repeated.")
@click.option("--attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="Repeatable.")
@password_options
@click.option("--no-password", is_flag=True, help="They can't sign in until one is set.")
@click.pass_context
def add(
    context: click.Context,
    name: str,
    display_name: str,
    email: str,
    groups: tuple[str, ...],
    attributes: tuple[str, ...],
    password_file: BinaryIO | None,
    password_stdin: bool,
    no_password: bool,
) -> None:
    """Add a person; asks for the password twice on a terminal.

    \b
    Examples:
      idp user add ann --email ann@example.com --group admins --attribute department=Sales
      pwgen 20 1 | idp user add ann --password-stdin
    """
    if no_password and (password_file or password_stdin):
        raise click.UsageError("Give a password or --no-password, not both.")
    directory = _directory(context)
    person = directory.add(
        name,
        now=datetime.now(UTC),
        display_name=display_name,
        email=email,
        groups=groups,
        attributes=_attributes(attributes),
        password=None if no_password else new_password(password_file, password_stdin),
    )
    _record(
        context,
        UserAdded,
        username=person.username,
        directory_id=person.directory_id,
        groups=[group.name for group in person.groups],
    )
    click.echo(f"Added {person.username}.")


@user.command("list")
@_as_json
@click.option("--search", default="", help="Text within the name, display name or e-mail address.")
@click.option("--group", help="Only the members of this group.")
@click.pass_context
def list_(context: click.Context, as_json: bool, search: str, group: str | None) -> None:
    """List people by user name: name, display name, e-mail address, groups, state.

    \b
    Examples:
      idp user list --search lee
      idp user list --json | jq -r '.[].username'
    """
    wanted = search.casefold()
    found = (each for each in _directory(context).accounts(group) if _matches(each, wanted))
    if as_json:
        before = "["
        for account in found:
            click.echo(before + json.dumps(account_document(account), ensure_ascii=False), nl=False)
            before = ",\n "
        click.echo("[]" if before == "[" else "]")
        return
    form = "{:<24} {:<28} {:<32} {} {}" if sys.stdout.isatty() else "{}\t{}\t{}\t{}\t{}"
    for account in found:
        person = account.person
        groups = ", ".join(each.name for each in person.groups)
        state = "disabled" if account.disabled_at else ""
        line = form.format(person.username, person.display_name, person.email or "", groups, state)
        click.echo(line.rstrip(" "))


@user.command()
@click.argument("name")
@click.pass_context
def disable(context: click.Context, name: str) -> None:
    """Refuse a person from now on and end their sessions.

    \b
    Example:
      idp user disable ann
    """
    person = _directory(context).disable(name, datetime.now(UTC))
    _record(context, UserDisabled, username=person.username, directory_id=person.directory_id)
    click.echo(f"Disabled {person.username}; their sessions are ended.")


@user.command()
@click.argument("name")
@click.pass_context
def enable(context: click.Context, name: str) -> None:
    """Let a disabled person sign in again.

    \b
    Example:
      idp user enable ann
    """
    person = _directory(context).enable(name)
    _record(context, UserEnabled, username=person.username, directory_id=person.directory_id)
    click.echo(f"Enabled {person.username}.")


@user.command("set-password")
@click.argument("name")
@password_options
@click.pass_context
def set_password(
    context: click.Context, name: str, password_file: BinaryIO | None, password_stdin: bool
) -> None:
    """Set a new password and end the person's sessions.

    \b
    Example:
      idp user set-password ann
    """
    directory = _directory(context)
    directory.account(name)
    person = directory.set_password(name, new_password(password_file, password_stdin))
    _record(context, UserPasswordSet, username=person.username, directory_id=person.directory_id)
    click.echo(f"The password of {person.username} is set; their sessions are ended.")


@user.command("set-groups")
@click.argument("name")
@click.argument("groups", nargs=-1)
@click.pass_context
def set_groups(context: click.Context, name: str, groups: tuple[str, ...]) -> None:
    """Make GROUPS the groups of a person, instead of those they have; none removes all.

    \b
    Example:
      idp user set-groups ann admins auditors
    """
    directory = _directory(context)
    before = directory.account(name).person
    person = directory.set_groups(name, groups)
    _record(
        context,
        UserGroupsSet,
        username=person.username,
        directory_id=person.directory_id,
        before=[group.name for group in before.groups],
        after=[group.name for group in person.groups],
    )
    click.echo(
        f"Groups of {person.username}: {', '.join(g.name for g in person.groups) or 'none'}."
    )


@user.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), help="Default: by suffix.")
@click.option("--update", is_flag=True, help="Change people who are there already.")
@click.option("--dry-run", is_flag=True, help="Check everything and change nothing.")
@click.pass_context
def import_(
    context: click.Context,
    file: BinaryIO,
    form: ImportFormat | None,
    update: bool,
    dry_run: bool,
) -> None:
    """Import people from CSV or JSON lines: all of them, or nobody and the bad lines.

    The first line of CSV names the columns: username, and any of display_name, email, groups
    (separated by semicolons), password or password_hash (Argon2id). Any other column is an
    attribute. JSON lines have the same names; groups is a list.

    \b
    Examples:
      idp user import people.csv --dry-run
      idp user import people.jsonl --update
    """
    form = form or _FORMATS.get(Path(file.name).suffix.lower())
    if form is None:
        raise click.UsageError(f"{file.name} may be CSV or JSON lines: say --format csv or jsonl.")
    database = open_database(context)
    passwords = Passwords(settings_from(context).sign_in)
    with progress_bar() as progress:
        plan = plan_import(file, form, database, update=update, progress=progress)
        if plan.passwords and not dry_run:
            seconds = expected_seconds(plan, passwords)
            click.echo(f"Hashing {plan.passwords:,} passwords takes {_minutes(seconds)}.", err=True)
        if not dry_run:
            apply_import(plan, database, passwords, now=datetime.now(UTC), progress=progress)
    if dry_run:
        click.echo(f"Would add {plan.added:,} and update {plan.updated:,} people.")
        return
    _record(context, UsersImported, file=file.name, added=plan.added, updated=plan.updated)
    click.echo(f"Added {plan.added:,} and updated {plan.updated:,} people.")


def _directory(context: click.Context) -> LocalDirectory:
    return local_directory(settings_from(context), open_database(context))


def _record(context: click.Context, kind: type[AdminEvent], **details: object) -> None:
    """Put a change in the audit trail, before the command says that it is done."""
    subject = str(details.pop("username", details.pop("file", "")))
    event = kind(actor=acting_admin(), subject=subject, changes=details)
    AuditLog(open_database(context)).record(event, command_origin())


def _attributes(given: tuple[str, ...]) -> dict[str, list[str]]:
    attributes: dict[str, list[str]] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"--attribute {pair} should be like department=Sales.")
        attributes.setdefault(name.lower(), []).append(value)
    return attributes


def _matches(account: LocalAccount, wanted: str) -> bool:
    person = account.person
    texts = (person.username, person.display_name, person.email or "")
    return any(wanted in text.casefold() for text in texts)


def _minutes(seconds: float) -> str:
    return f"about {seconds / 60:.0f} minutes" if seconds >= 90 else f"about {seconds:.0f} seconds"
