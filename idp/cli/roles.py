"""idp roles: who gets which AWS role, and why."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from idp.cli.context import open_database
from idp.cli.roles_explain import explain, who
from idp.cli.roles_import import import_adfs, import_okta
from idp.cli.roles_plan import apply, plan
from idp.entitlements.plan_words import printable, rule_columns
from idp.entitlements.rule import to_document
from idp.entitlements.rules_file import format_rules
from idp.entitlements.store import stored_rules
from idp.errors import IdpError


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


for command in (plan, apply, explain, who, import_adfs, import_okta):
    roles.add_command(command)


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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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
        click.echo(json.dumps([to_document(rule) for rule in rules], ensure_ascii=False, indent=2))
        return
    if not rules:
        click.echo("There are no rules. Write some in a file and run: idp roles apply FILE")
    form = "{:<28} {:<44} {:<40} {}" if sys.stdout.isatty() else "{}\t{}\t{}\t{}"
    for rule in rules:
        click.echo(form.format(*map(printable, rule_columns(rule))))
