"""idp directory: the places where people live, and what we see of them."""

from __future__ import annotations

import json
from typing import Any

import click

from idp.cli.context import directories_of, settings_from
from idp.cli.directory_sync import sync
from idp.directory.configured import Directories, ListedDirectory
from idp.directory.interface import DirectoryUnavailable
from idp.directory.local import NoSuchUser
from idp.directory.seen import CheckedStep, Seen
from idp.entitlements.plan_words import printable

_MARKS = {True: "✔", False: "✘"}
_COLOURS = {True: "green", False: "red"}
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def directory() -> None:
    """The places where people live: our own database, LDAP, Active Directory.

    \b
    Examples:
      idp directory list
      idp directory check corp
      idp directory show ann@corp.example
      idp directory sync --output people.jsonl
    """


directory.add_command(sync)


@directory.command("list")
@_as_json
@click.pass_context
def list_(context: click.Context, as_json: bool) -> None:
    """List the directories in the order in which they are asked. Asks none of them.

    \b
    Example:
      idp directory list --json
    """
    documents = [
        {
            "name": each.name,
            "kind": each.kind,
            "realms": list(each.realms),
            "servers": list(each.servers) or ([each.srv_record] if each.srv_record else []),
            "tls": each.tls if each.kind != "local" else None,
        }
        for each in settings_from(context).directories
    ]
    if as_json:
        click.echo(_json(documents))
        return
    for each in documents:
        columns = [each["name"], each["kind"], *(each["realms"] or ()), *(each["servers"] or ())]
        click.echo("\t".join(map(str, columns)))


@directory.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_as_json
@click.pass_context
def check(context: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Ask directories something, step by step, and say what is wrong at the first that fails.

    The steps are: find the servers, connect, check the certificate, bind, search for people,
    search for groups. Each server is asked. Exit code 1 if a step failed.

    \b
    Examples:
      idp directory check
      idp directory check corp --json
    """
    directories = directories_of(context)
    asked = [directories.named(name) for name in names] or list(directories.by_name.values())
    failed, documents = False, []
    for each in asked:
        for step in each.check():
            failed = failed or not step.good
            documents.append(_step_document(each, step))
            if not as_json:
                _show_step(each, step)
    if as_json:
        click.echo(_json(documents))
    context.exit(1 if failed else 0)


@directory.command()
@click.argument("user")
@_as_json
@click.pass_context
def show(context: click.Context, user: str, as_json: bool) -> None:
    """Show what the directories say of somebody: attributes, and every group with its way.

    A name that says its realm is looked for in that directory alone, any other in all of them,
    for this is how it would be signed in.

    \b
    Examples:
      idp directory show ann
      idp directory show 'CORP\\ann' --json
    """
    found, away = _seen(directories_of(context), user)
    for problem in away:
        click.echo(f"idp: {problem}", err=True)
    if not found:
        if away:
            context.exit(1)
        raise NoSuchUser(
            f"No directory has a user {user[:128]!r}.", "Check the name, and user_filter."
        )
    if as_json:
        click.echo(_json([_seen_document(each) for each in found]))
    else:
        for number, each in enumerate(found):
            if number:
                click.echo()
            _show_seen(each)
    context.exit(1 if away else 0)


def _seen(directories: Directories, user: str) -> tuple[list[Seen], list[DirectoryUnavailable]]:
    found, away = [], []
    for each in directories.realms.asked(user, tuple(directories.by_name.values())):
        try:
            seen = each.see(user)
        except DirectoryUnavailable as problem:
            away.append(problem)
        else:
            found += [seen] if seen else []
    return found, away


def _show_step(directory: ListedDirectory, step: CheckedStep) -> None:
    mark = click.style(_MARKS[step.good], fg=_COLOURS[step.good])
    where = f"{directory.name} {step.server}".rstrip()
    click.echo(f"{mark} {where} {step.step}: {printable(step.message)}")
    if step.advice:
        click.echo(f"  {printable(step.advice)}")


def _step_document(directory: ListedDirectory, step: CheckedStep) -> dict[str, Any]:
    return {
        "directory": directory.name,
        "server": step.server,
        "step": str(step.step),
        "good": step.good,
        "message": step.message,
        "advice": step.advice,
    }


def _show_seen(seen: Seen) -> None:
    person = seen.person
    lines = [
        ("directory", person.directory),
        ("entry", seen.entry),
        ("identifier", person.directory_id),
        ("user name", person.username),
        ("display name", person.display_name),
        ("email", person.email or ""),
        ("state", (seen.reason or "disabled") if seen.disabled else "enabled"),
    ]
    lines += [(name, value) for name, values in person.attributes.items() for value in values]
    for each in seen.groups:
        way = " > ".join(via.name for via in each.path)
        how = f"inherited: {way} > {each.group.name}" if way else "direct"
        lines.append(("group", f"{each.group.name} ({how}) {each.group.dn or ''}".rstrip()))
    if not seen.groups:
        lines.append(("group", "none"))
    for name, value in lines:
        if value:
            click.echo(printable(f"{name}: {value}"))


def _seen_document(seen: Seen) -> dict[str, Any]:
    person = seen.person
    return {
        "directory": person.directory,
        "entry": seen.entry,
        "directory_id": person.directory_id,
        "username": person.username,
        "display_name": person.display_name,
        "email": person.email,
        "disabled": seen.disabled,
        "reason": seen.reason,
        "attributes": {name: list(values) for name, values in person.attributes.items()},
        "groups": [
            {
                "name": each.group.name,
                "dn": each.group.dn,
                "sid": each.group.sid,
                "direct": not each.path,
                "path": [via.name for via in each.path],
            }
            for each in seen.groups
        ],
    }


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)
