"""idp certs list, show: the keys in time, and one key with its history."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click
from rich.console import Console

from idp.audit.log import utc_now
from idp.audit.text import printable
from idp.cli.context import open_database
from idp.cli.key_document import key_document
from idp.cli.key_timeline import timeline_table
from idp.keys.custody import FILE
from idp.keys.file_custody import at_rest
from idp.keys.lifecycle import find_key
from idp.keys.publication import PublishedCertificate
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.keys.steps import KeyStep, steps_of
from idp.keys.store import all_keys
from idp.keys.timeline import timeline


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_keys(context: click.Context, as_json: bool) -> None:
    """All keys, oldest first, drawn in time on a terminal.

    A pipe gets a line for each: identifier, state, custody, algorithm, last day, fingerprint, with
    tabs between.

    \b
    Examples:
      idp certs list
      idp certs list --json
      idp certs list | cut -f 1,2
    """
    with open_database(context).reading() as session:
        keys = all_keys(session)
    if as_json:
        click.echo(json.dumps([key_document(key) for key in keys], indent=2))
    elif sys.stdout.isatty():
        console = Console(highlight=False)
        if keys:
            console.print(timeline_table(timeline(keys, utc_now()), console.width))
        else:
            console.print("There are no keys. Make one: idp certs generate")
    else:
        for key in keys:
            click.echo("\t".join(_columns(key)))


@click.command()
@click.argument("key", metavar="KEY")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def show(context: click.Context, key: str, as_json: bool) -> None:
    """One key: its certificate, where its private half is, and who did what with it when.

    \b
    Examples:
      idp certs show 3fa9
      idp certs show 3F:A9:11 --json        by the beginning of its SHA-256 fingerprint
    """
    with open_database(context).reading() as session:
        found = find_key(session, key)
        steps = steps_of(session, found.id)
    if as_json:
        document = key_document(found) | {"steps": [_step_document(step) for step in steps]}
        click.echo(json.dumps(document, indent=2))
        return
    for name, value in _facts(found):
        click.echo(f"{name:<12}  {printable(value)}")
    for step in steps:
        note = f"  ({printable(step.note)})" if step.note else ""
        who = printable(step.actor) or "(not on record)"
        click.echo(f"{step.at:%Y-%m-%d %H:%M:%S}Z  {step.step:<10}  {who}{note}")


def _columns(key: SigningKey) -> Sequence[str]:
    until = key.certificate.not_valid_after_utc.date().isoformat()
    return (key.id, key.state.value, key.custody, key.algorithm, until, key.fingerprint)


def _facts(key: SigningKey) -> Sequence[tuple[str, str]]:
    certificate = PublishedCertificate.of(key)
    return (
        ("Key", key.id),
        ("State", key.state.value),
        ("Custody", f"{key.custody}, {key.locator}"),
        *((("At rest", _at_rest(key)),) if key.custody == FILE else ()),
        ("Algorithm", key.algorithm),
        ("Subject", key.subject),
        ("Valid", f"{certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"),
        ("SHA-256", certificate.fingerprint),
        *((("Revoked for", key.revoked_reason),) if key.revoked_reason else ()),
    )


def _at_rest(key: SigningKey) -> str:
    try:
        found = at_rest(key)
    except KeyUnusable as problem:
        return problem.message
    return f"encrypted ({found.kind} {found.by})" if found.by else "not encrypted"


def _step_document(step: KeyStep) -> dict[str, str]:
    return {
        "step": step.step,
        "at": step.at.isoformat(),
        "actor": step.actor,
        "note": step.note,
    }
