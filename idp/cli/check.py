"""idp check: what is wrong, missing or unsafe, before serving."""

from __future__ import annotations

import json

import click

from idp.audit.log import utc_now
from idp.checks import Finding, Severity, check_all
from idp.cli.context import settings_from

_MARKS = {Severity.GOOD: "✔", Severity.WARNING: "!", Severity.BAD: "✘"}
_COLOURS = {Severity.GOOD: "green", Severity.WARNING: "yellow", Severity.BAD: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Read everything and say what is wrong (✘), unsafe (!) or in order (✔).

    Exit code 1 if anything is wrong; warnings alone give 0.

    \b
    Examples:
      idp check
      idp -c /etc/idp/idp.toml check --json
    """
    findings = list(check_all(settings_from(context), utc_now()))
    if as_json:
        click.echo(json.dumps([_as_json(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = click.style(_MARKS[finding.severity], fg=_COLOURS[finding.severity])
            click.echo(f"{mark} {finding.subject}: {finding.message}")
            if finding.advice:
                click.echo(f"  {finding.advice}")
    context.exit(1 if any(finding.severity is Severity.BAD for finding in findings) else 0)


def _as_json(finding: Finding) -> dict[str, str]:
    return {
        "severity": finding.severity,
        "subject": finding.subject,
        "message": finding.message,
        "advice": finding.advice,
    }
