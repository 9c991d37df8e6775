"""idp audit: read the audit trail, verify it, keep it in bounds."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from idp.audit.export import as_document, write_csv, write_json_lines
from idp.audit.log import utc_now
from idp.audit.moment import parse_moment
from idp.audit.reading import Record, Search, last_number, matching, newest
from idp.audit.text import printable
from idp.audit.words import sentence
from idp.cli.audit_chain import checkpoint, prune, verify
from idp.cli.audit_reconcile import reconcile_command
from idp.cli.context import open_database
from idp.cli.new_file import new_file
from idp.db.engine import Database, unusable
from idp.db.models import canonical_time

FOLLOW_SECONDS = 1.0

_json_lines = click.option("--json", "as_json", is_flag=True, help="Print JSON, a row on a line.")
_types = click.option("--type", "types", multiple=True, help="Only this type; may be repeated.")
_since = click.option("--since", default="", help="Not older: 2h, 7d, or 2026-11-23T12:00Z.")
_until = click.option("--until", default="", help="Older than this; written as for --since.")


@click.group()
def audit() -> None:
    """Read the audit trail, verify it, keep it in bounds.

    \b
    Examples:
      idp audit tail -f
      idp audit search --actor local/ann --since 7d
      idp audit verify
      idp audit checkpoint --out /media/safe/checkpoint.json
      idp audit verify --checkpoint /media/safe/checkpoint.json
      idp audit reconcile --cloudtrail events.json
    """


for command in (verify, checkpoint, prune, reconcile_command):
    audit.add_command(command)


@audit.command()
@click.option("-n", "--lines", "count", default=20, type=click.IntRange(0), show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Go on with new rows until Ctrl-C.")
@_types
@_json_lines
@click.pass_context
def tail(
    context: click.Context, count: int, follow: bool, types: tuple[str, ...], as_json: bool
) -> None:
    """Print the newest rows, each as a sentence.

    \b
    Examples:
      idp audit tail -n 50
      idp audit tail -f --type sign_in.refused --type assertion.refused
    """
    database = open_database(context)
    search = Search(types=types)
    last = last_number(database)
    for record in newest(database, search, count) if count else []:
        _show(record, as_json)
        last = max(last, record.seq)
    if follow:
        with suppress(KeyboardInterrupt):
            _follow(database, search, last, as_json)


def _follow(database: Database, search: Search, last: int, as_json: bool) -> None:
    """Print rows after number `last` as they come, also after the database was away."""
    away = False
    while True:
        sys.stdout.flush()
        time.sleep(FOLLOW_SECONDS)
        try:
            upper = last_number(database)
            for record in matching(database, search, after=last):
                _show(record, as_json)
                last = record.seq
        except SQLAlchemyError as problem:
            refusal = unusable(problem)
            if refusal is None:
                raise
            if not away:
                click.echo(f"idp: {refusal.message} Trying again until it can.", err=True)
            away = True
        else:
            last, away = max(last, upper), False


@audit.command()
@_types
@click.option("--actor", default="", help="Who, like local/ann or cli/root.")
@click.option("--assertion", default="", metavar="ID", help="The assertion with this ID.")
@click.option("--role", default="", metavar="ARN", help="Assertions for this role, or refusals.")
@click.option("--text", default="", help="Text that stands anywhere in the row, in any case.")
@_since
@_until
@click.option("-n", "--last", "count", type=click.IntRange(1), help="Only the newest so many.")
@_json_lines
@click.pass_context
def search(
    context: click.Context,
    types: tuple[str, ...],
    actor: str,
    assertion: str,
    role: str,
    text: str,
    since: str,
    until: str,
    count: int | None,
    as_json: bool,
) -> None:
    """Print the rows that match all that is asked, oldest first; exit code 1 if there are none.

    \b
    Examples:
      idp audit search --assertion _4f1c8a90d2
      idp audit search --role arn:aws:iam::111122223333:role/Admin --since 24h
      idp audit search --type sign_in.refused --text 192.0.2.7 --json
    """
    database = open_database(context)
    wanted = Search(
        types=types,
        actor=actor,
        assertion_id=assertion,
        role=role,
        text=text,
        since=_moment(since),
        until=_moment(until),
    )
    found = False
    for record in newest(database, wanted, count) if count else matching(database, wanted):
        found = True
        _show(record, as_json)
    if not found:
        click.echo("No row of the audit trail matches.", err=True)
        context.exit(1)


@audit.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), help="Default: by suffix.")
@_types
@_since
@_until
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.pass_context
def export(
    context: click.Context,
    file: Path | None,
    form: str | None,
    types: tuple[str, ...],
    since: str,
    until: str,
    force: bool,
) -> None:
    """Write rows whole, with their hashes, as JSON lines or CSV, to FILE or standard output.

    \b
    Examples:
      idp audit export --since 30d trail.csv
      idp audit export --format jsonl | gzip > trail.jsonl.gz
    """
    by_suffix = "csv" if file is not None and file.suffix.lower() == ".csv" else "jsonl"
    write = write_csv if (form or by_suffix) == "csv" else write_json_lines
    wanted = Search(types=types, since=_moment(since), until=_moment(until))
    records = matching(open_database(context), wanted)
    if file is None:
        write(records, sys.stdout)
        return
    with new_file(file, force) as opened:
        count = write(records, opened)
    click.echo(f"Wrote {count:,} rows to {file}.", err=True)


def _show(record: Record, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(as_document(record)))
        return
    told = sentence(record.type, record.actor, record.told())
    line = f"{record.seq}  {record.at[:19]}Z  {told}  [{record.address}, {record.request_id}]"
    click.secho(printable(line), fg="yellow" if record.type.endswith(".refused") else None)


def _moment(text: str) -> str:
    return canonical_time(parse_moment(text, utc_now())) if text else ""
