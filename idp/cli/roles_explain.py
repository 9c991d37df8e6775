"""idp roles explain and who: from a person to roles, and from a role to people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from idp.aws.arn import RoleArn
from idp.cli.circumstances import circumstance_options, circumstances_of
from idp.cli.context import open_database
from idp.cli.roles_people import everyone, people_option, person_named
from idp.entitlements.evaluate import evaluate
from idp.entitlements.explain import explain as explain_rules
from idp.entitlements.explain_words import explanation_document, story
from idp.entitlements.plan_words import printable
from idp.entitlements.store import Entitlements
from idp.errors import IdpError

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("username")
@click.option("--all", "everything", is_flag=True, help="Also rules that were far from matching.")
@circumstance_options
@people_option
@_as_json
@click.pass_context
def explain(
    context: click.Context,
    username: str,
    everything: bool,
    factor: tuple[str, ...],
    from_address: str | None,
    people_file: Path | None,
    as_json: bool,
) -> None:
    """Tell which rule gave a person what, and which came close and why not.

    \b
    Examples:
      idp roles explain ann
      idp roles explain ann --json
      idp roles explain ann --factor kerberos --from-address 10.1.2.3
      idp roles explain ann --people people.jsonl
    """
    circumstances = circumstances_of(factor, from_address)
    database = open_database(context)
    person = person_named(context, username, people_file)
    ruleset = Entitlements(database).current()
    grants = evaluate(ruleset, person, circumstances)
    outcomes = explain_rules(ruleset, person, circumstances)
    if as_json:
        document = explanation_document(person, grants, outcomes)
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for line in story(person, grants, outcomes, everything=everything):
        click.echo(printable(line))


@click.command()
@click.argument("role_arn")
@circumstance_options
@people_option
@_as_json
@click.pass_context
def who(
    context: click.Context,
    role_arn: str,
    factor: tuple[str, ...],
    from_address: str | None,
    people_file: Path | None,
    as_json: bool,
) -> None:
    """Name the people of all directories who get a role, and by which rule.

    \b
    Examples:
      idp roles who arn:aws:iam::111122223333:role/Developer
      idp roles who arn:aws:iam::111122223333:role/Developer --people people.jsonl
    """
    role = RoleArn.parse(role_arn)
    circumstances = circumstances_of(factor, from_address)
    database = open_database(context)
    ruleset = Entitlements(database).current()
    if ruleset.accounts.find(role.account) is None:
        raise IdpError(
            f"The account {role.account} is not registered, so nobody gets {role}.",
            "See the registered ones with: idp aws account list",
        )
    holders = (
        (person.username, person.display_name, grant.rule)
        for person in everyone(context, database, people_file)
        for grant in evaluate(ruleset, person, circumstances).grants
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
        whom = f"Nobody in {people_file}" if people_file else "Nobody"
        click.echo(f"{whom} gets {role}.", err=True)


def _stream_json(holders: Iterable[tuple[str, str, str]]) -> None:
    before = "["
    for username, display_name, rule in holders:
        entry = {"username": username, "display_name": display_name, "rule": rule}
        click.echo(before + json.dumps(entry, ensure_ascii=False), nl=False)
        before = ",\n "
    click.echo("[]" if before == "[" else "]")
