"""idp roles plan and apply: a rules file against the rules in force."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click
from sqlalchemy.orm import Session

from idp.audit.admin_events import RolesApplied
from idp.audit.log import AuditLog
from idp.cli.acting import acting_admin, command_origin
from idp.cli.circumstances import circumstance_options, circumstances_of
from idp.cli.context import open_database, settings_from
from idp.cli.roles_people import (
    attributes_read,
    configured_directories,
    everyone,
    people_option,
)
from idp.db.engine import Database
from idp.entitlements.facts import Circumstances
from idp.entitlements.plan import Plan, make_plan, recorded_changes
from idp.entitlements.plan_words import plan_document, plan_lines, printable
from idp.entitlements.rules_file import LARGEST_FILE, parse_rules
from idp.entitlements.session_names import NamesInAws
from idp.entitlements.store import apply_planned, revision, stored_accounts, stored_rules
from idp.sso.claimed_names import owners

PEOPLE_SHOWN = 50

Command = TypeVar("Command", bound=Callable[..., Any])


def _plan_options(command: Command) -> Command:
    for option in (
        people_option,
        circumstance_options,
        click.option("--all", "all_people", is_flag=True, help="Name everyone concerned."),
        click.argument("file", type=click.File("rb")),
    ):
        command = option(command)
    return command


@click.command()
@_plan_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there are changes.")
@click.pass_context
def plan(
    context: click.Context,
    file: BinaryIO,
    all_people: bool,
    factor: tuple[str, ...],
    from_address: str | None,
    people_file: Path | None,
    as_json: bool,
    exit_code: bool,
) -> None:
    """Show what applying FILE would change, and for whom. Changes nothing.

    Besides who gains and loses what, it tells what AWS would refuse: session tags, names and
    durations made from attributes, and names that two people would share.

    \b
    Examples:
      idp roles plan roles.toml
      idp roles plan roles.toml --exit-code --json
      idp roles plan roles.toml --factor kerberos --from-address 10.1.2.3
      idp directory sync corp --output people.jsonl
      idp roles plan roles.toml --people people.jsonl
    """
    keep = None if as_json or all_people else PEOPLE_SHOWN
    circumstances = circumstances_of(factor, from_address)
    made, _ = _planned(context, open_database(context), file, keep, circumstances, people_file)
    if as_json:
        click.echo(json.dumps(plan_document(made), ensure_ascii=False, indent=2))
    else:
        _show_plan(made)
    context.exit(1 if exit_code and not made.difference.empty else 0)


@click.command()
@_plan_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def apply(
    context: click.Context,
    file: BinaryIO,
    all_people: bool,
    factor: tuple[str, ...],
    from_address: str | None,
    people_file: Path | None,
    yes: bool,
) -> None:
    """Make the rules of FILE the rules in force: all of them, or none.

    Rules that FILE does not have are removed. The change is recorded in the audit trail.

    \b
    Examples:
      idp roles apply roles.toml
      idp roles apply roles.toml --yes
    """
    if file is sys.stdin.buffer and not yes:
        raise click.UsageError("Rules read from standard input need --yes: nobody can be asked.")
    database = open_database(context)
    keep = None if all_people else PEOPLE_SHOWN
    circumstances = circumstances_of(factor, from_address)
    made, made_at = _planned(context, database, file, keep, circumstances, people_file)
    _show_plan(made)
    if made.difference.empty:
        return
    if not yes and not click.confirm("Apply these changes?"):
        click.echo("Nothing was changed.")
        context.exit(1)
    with database.writing() as session:
        apply_planned(session, made.rules, made_at)
        on_applied(session, database, made)
    click.echo("Applied.")


def on_applied(session: Session, database: Database, applied: Plan) -> None:
    """Record the change in the audit trail, in the transaction that makes it."""
    event = RolesApplied(
        actor=acting_admin(), subject="role rules", changes=recorded_changes(applied)
    )
    AuditLog(database).append(session, event, command_origin())


def _planned(
    context: click.Context,
    database: Database,
    file: BinaryIO,
    keep: int | None,
    circumstances: Circumstances,
    people_file: Path | None,
) -> tuple[Plan, int]:
    """FILE held against the rules in force, and the revision that these have."""
    content = file.read(LARGEST_FILE + 1)
    settings = settings_from(context)
    directories = configured_directories(settings)
    with database.reading() as session:
        made_at, accounts = revision(session), stored_accounts(session)
        before = stored_rules(session)
        names = NamesInAws.of(
            settings.aws.role_session_name,
            settings.aws.source_identity,
            owners(session, "role_session_name"),
            owners(session, "source_identity"),
        )
    after = parse_rules(content, accounts, directories)
    people = everyone(context, database, people_file)
    made = make_plan(
        before,
        after,
        accounts,
        people,
        names,
        keep,
        circumstances,
        directories,
        attributes_read(settings),
    )
    return made, made_at


def _show_plan(made: Plan) -> None:
    for line in plan_lines(made):
        click.secho(printable(line), fg=_COLOURS.get(line.lstrip()[:2]))


_COLOURS = {"+ ": "green", "~ ": "yellow", "- ": "red"}
