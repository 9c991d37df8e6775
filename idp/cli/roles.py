"""idp roles: who gets which AWS role, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import click
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from idp.audit.admin_events import RolesApplied
from idp.audit.log import AuditLog
from idp.aws.arn import RoleArn
from idp.cli.acting import acting_admin, command_origin
from idp.cli.context import directories_of, open_database, settings_from
from idp.cli.progress import progress_bar
from idp.db.engine import Database
from idp.db.models import LocalUserRow
from idp.directory.local import NoSuchUser
from idp.directory.person import Person
from idp.entitlements.evaluate import evaluate
from idp.entitlements.explain import explain as explain_rules
from idp.entitlements.explain_words import explanation_document, story
from idp.entitlements.plan import Plan, make_plan, recorded_changes
from idp.entitlements.plan_words import (
    plan_document,
    plan_lines,
    printable,
    rule_columns,
)
from idp.entitlements.rule import to_document
from idp.entitlements.rules_file import LARGEST_FILE, format_rules, parse_rules
from idp.entitlements.store import (
    Entitlements,
    apply_planned,
    revision,
    stored_accounts,
    stored_rules,
)
from idp.entitlements.template import Template
from idp.errors import IdpError

PEOPLE_SHOWN = 50
STEP = "Comparing people"

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_all_people = click.option("--all", "everyone", is_flag=True, help="Name everyone concerned.")


@click.group()
def roles() -> None:
    """Who gets which AWS role, and why.

    Rules are a TOML file: change it, look at the plan, apply it.

    \b
    Examples:
      idp roles plan roles.toml
      idp roles apply roles.toml
      idp roles explain ann
      idp roles who arn:aws:iam::111122223333:role/Developer
    """


@roles.command()
@click.argument("file", type=click.File("rb"))
@_as_json
@_all_people
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there are changes.")
@click.pass_context
def plan(
    context: click.Context, file: BinaryIO, as_json: bool, everyone: bool, exit_code: bool
) -> None:
    """Show what applying FILE would change, and for whom. Changes nothing.

    \b
    Examples:
      idp roles plan roles.toml
      idp roles plan roles.toml --exit-code --json
    """
    keep = None if as_json or everyone else PEOPLE_SHOWN
    made, _ = _planned(context, open_database(context), file, keep)
    if as_json:
        click.echo(_json(plan_document(made)))
    else:
        _show_plan(made)
    context.exit(1 if exit_code and not made.difference.empty else 0)


@roles.command()
@click.argument("file", type=click.File("rb"))
@_all_people
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def apply(context: click.Context, file: BinaryIO, everyone: bool, yes: bool) -> None:
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
    made, made_at = _planned(context, database, file, None if everyone else PEOPLE_SHOWN)
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


@roles.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.pass_context
def export(context: click.Context, file: Path | None, force: bool) -> None:
    """Write the rules in force as a rules file, to FILE or standard output.

    \b
    Example:
      idp roles export roles.toml
    """
    with open_database(context).reading() as session:
        text = format_rules(stored_rules(session))
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        with file.open("w" if force else "x", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    except FileExistsError:
        raise IdpError(f"{file} is there already.", "Name another, or give --force.") from None
    except OSError as problem:
        raise IdpError(f"{file} can't be written: {problem.strerror}.") from None


@roles.command("list")
@_as_json
@click.pass_context
def list_(context: click.Context, as_json: bool) -> None:
    """List the rules in force, in the order in which they decide.

    \b
    Examples:
      idp roles list
      idp roles list --json | jq -r '.[].name'
    """
    with open_database(context).reading() as session:
        rules = stored_rules(session)
    if as_json:
        click.echo(_json([to_document(rule) for rule in rules]))
        return
    if not rules:
        click.echo("There are no rules. Write some in a file and run: idp roles apply FILE")
    form = "{:<28} {:<44} {:<40} {}" if sys.stdout.isatty() else "{}\t{}\t{}\t{}"
    for rule in rules:
        click.echo(form.format(*map(printable, rule_columns(rule))))


@roles.command()
@click.argument("username")
@click.option("--all", "everything", is_flag=True, help="Also rules that were far from matching.")
@_as_json
@click.pass_context
def explain(context: click.Context, username: str, everything: bool, as_json: bool) -> None:
    """Tell which rule gave a person what, and which came close and why not.

    \b
    Examples:
      idp roles explain ann
      idp roles explain ann --json
    """
    database = open_database(context)
    person = directories_of(context).find_by_name(username)
    if person is None:
        raise NoSuchUser(
            f"No directory has an enabled user {username[:128]!r}.",
            "See what a directory says of them with: idp directory show NAME",
        )
    ruleset = Entitlements(database).current()
    grants, outcomes = evaluate(ruleset, person), explain_rules(ruleset, person)
    if as_json:
        click.echo(_json(explanation_document(person, grants, outcomes)))
        return
    for line in story(person, grants, outcomes, everything=everything):
        click.echo(printable(line))


@roles.command()
@click.argument("role_arn")
@_as_json
@click.pass_context
def who(context: click.Context, role_arn: str, as_json: bool) -> None:
    """Name the people of all directories who get a role, and by which rule.

    \b
    Example:
      idp roles who arn:aws:iam::111122223333:role/Developer
    """
    role = RoleArn.parse(role_arn)
    database = open_database(context)
    ruleset = Entitlements(database).current()
    if ruleset.accounts.find(role.account) is None:
        raise IdpError(
            f"The account {role.account} is not registered, so nobody gets {role}.",
            "See the registered ones with: idp aws account list",
        )
    holders = (
        (person.username, person.display_name, grant.rule)
        for person in _people(context, database)
        for grant in evaluate(ruleset, person).grants
        if grant.role == role
    )
    if as_json:
        _stream_json(holders)
        return
    nobody = True
    for username, display_name, rule in holders:
        nobody = False
        click.echo(printable(f"{username} ({display_name}) by rule {rule}"))
    if nobody:
        click.echo(f"Nobody gets {role}.", err=True)


def on_applied(session: Session, database: Database, applied: Plan) -> None:
    """Record the change in the audit trail, in the transaction that makes it."""
    event = RolesApplied(
        actor=acting_admin(), subject="role rules", changes=recorded_changes(applied)
    )
    AuditLog(database).append(session, event, command_origin())


def _planned(
    context: click.Context, database: Database, file: BinaryIO, keep: int | None
) -> tuple[Plan, int]:
    """FILE held against the rules in force, and the revision that these have."""
    content = file.read(LARGEST_FILE + 1)
    template = Template.parse(settings_from(context).aws.role_session_name)
    with database.reading() as session:
        made_at, accounts = revision(session), stored_accounts(session)
        before = stored_rules(session)
    after = parse_rules(content, accounts)
    people = _people(context, database)
    return make_plan(before, after, accounts, people, template, keep), made_at


def _show_plan(made: Plan) -> None:
    for line in plan_lines(made):
        click.secho(printable(line), fg=_COLOURS.get(line.lstrip()[:2]))


_COLOURS = {"+ ": "green", "~ ": "yellow", "- ": "red"}


def _people(context: click.Context, database: Database) -> Iterator[Person]:
    """Everyone enabled in any directory, with progress on a terminal."""
    total = _total(context, database)
    with progress_bar() as progress:
        for count, person in enumerate(directories_of(context).people(), start=1):
            yield person
            if count % 100 == 0 or count == total:
                progress(STEP, count, total)


def _total(context: click.Context, database: Database) -> int | None:
    """How many people there are, if our own database is the only directory."""
    if any(each.kind != "local" for each in settings_from(context).directories):
        return None
    with database.reading() as session:
        return session.scalar(
            select(func.count()).select_from(LocalUserRow).where(LocalUserRow.disabled_at.is_(None))
        )


def _stream_json(holders: Iterable[tuple[str, str, str]]) -> None:
    before = "["
    for username, display_name, rule in holders:
        entry = {"username": username, "display_name": display_name, "rule": rule}
        click.echo(before + json.dumps(entry, ensure_ascii=False), nl=False)
        before = ",\n "
    click.echo("[]" if before == "[" else "]")


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)
