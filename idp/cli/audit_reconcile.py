"""idp audit reconcile: the roles that CloudTrail saw assumed, held against our ledger."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from idp.audit.cloudtrail import RoleAssumed, read_events
from idp.audit.reconcile import Finding, Ours, Reconciled, reconcile, trail_begins
from idp.audit.text import printable
from idp.cli.context import open_database, settings_from
from idp.cli.progress import progress_bar
from idp.entitlements.store import stored_accounts


@click.command("reconcile")
@click.option(
    "--cloudtrail",
    "paths",
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
    multiple=True,
    required=True,
    help="Log file, folder of log files, or - for standard input; may be repeated.",
)
@click.option("--key", default="", metavar="FINGERPRINT", help="Only assertions that key signed.")
@click.option("--all", "everything", is_flag=True, help="Print the events that are in order, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an event on a line.")
@click.pass_context
def reconcile_command(
    context: click.Context, paths: tuple[Path, ...], key: str, everything: bool, as_json: bool
) -> None:
    """Name every role session in CloudTrail that we did not vouch for.

    It reads AssumeRoleWithSAML events from the log files that CloudTrail delivers (.json or
    .json.gz), or from `aws cloudtrail lookup-events`. An event is in order if a row of our trail
    has its assertion, with the same role, session name and source identity, at about that time.
    Run `idp audit verify` first: it says whether the trail itself can be believed.

    Exit codes: 0 all are ours, 1 some are not, 2 bad input.

    \b
    Examples:
      aws cloudtrail lookup-events --output json --lookup-attributes \\
        AttributeKey=EventName,AttributeValue=AssumeRoleWithSAML > events.json
      idp audit reconcile --cloudtrail events.json
      idp audit reconcile --cloudtrail AWSLogs/ --json
    """
    settings = settings_from(context)
    database = open_database(context)
    with database.reading() as session:
        providers = frozenset(str(account.provider) for account in stored_accounts(session))
    ours = Ours(settings.entity_id, providers, trail_begins(database))
    given = sys.stdin.buffer.read() if any(str(path) == "-" for path in paths) else b""
    counted: Counter[Finding] = Counter()
    with progress_bar() as show:
        events = _shown(read_events(paths, given), show)
        for found in reconcile(database, events, ours):
            if key and not found.key.startswith(key.replace(":", "").lower()):
                continue
            counted[found.finding] += 1
            if everything or key or found.finding.alarming:
                _print(found, as_json)
    _sum_up(counted)
    if any(finding.alarming for finding in counted):
        context.exit(1)


def _shown(events: Iterator[RoleAssumed], show: Any) -> Iterator[RoleAssumed]:
    for number, event in enumerate(events, start=1):
        if number % 100 == 0:
            show("Events", number, None)
        yield event


def _print(found: Reconciled, as_json: bool) -> None:
    event = found.event
    if as_json:
        click.echo(json.dumps(_document(found)))
        return
    whose = f"our row {found.row}, {found.actor}" if found.row else ""
    outcome = f"refused by AWS ({event.error})" if event.error else ""
    times = f"redeemed {found.redeemed} times" if found.redeemed > 1 else ""
    said = "; ".join(filter(None, (*found.reasons, whose, outcome, times)))
    line = (
        f"{found.finding.upper()}  {event.at:%Y-%m-%dT%H:%M:%SZ}  {event.role or '(no role)'}  "
        f"{event.session_name}  from {event.address or '?'}: {said}  [event {event.event_id}]"
    )
    click.secho(printable(line), fg="red" if found.finding.alarming else None)


def _document(found: Reconciled) -> dict[str, Any]:
    event = found.event
    return {
        "finding": found.finding.value,
        "reasons": list(found.reasons),
        "event_id": event.event_id,
        "at": event.at.isoformat(),
        "account": event.account,
        "role": event.role,
        "provider": event.provider,
        "session_name": event.session_name,
        "assertion_id": event.assertion_id,
        "address": event.address,
        "error": event.error or None,
        "row": found.row,
        "actor": found.actor or None,
        "key": found.key or None,
        "redeemed": found.redeemed,
    }


def _sum_up(counted: Counter[Finding]) -> None:
    total = sum(counted.values())
    words = [f"{number:,} {finding.value}" for finding, number in counted.items()]
    plural = "" if total == 1 else "s"
    click.echo(f"{total:,} event{plural}: {', '.join(words) or 'nothing to compare'}.", err=True)
    if any(finding.alarming for finding in counted):
        click.echo(
            "Sessions that we did not vouch for mean that a signing key may be stolen: "
            "see idp certs revoke --compromised.",
            err=True,
        )
