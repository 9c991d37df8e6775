"""A rotation's plan and report on the terminal and in JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from idp.cli.aws_register import tell_advice
from idp.cli.aws_selection import columns
from idp.cli.span import written
from idp.entitlements.account import Account
from idp.rotation.plan import Plan
from idp.rotation.report import AccountReport, Report
from idp.settings import Settings


def tell_plan(plan: Plan, settings: Settings) -> None:
    """Print what would be done, in the order in which it would be done."""
    until = plan.old.certificate.not_valid_after_utc
    click.echo(f"From key {plan.old.id} ({plan.old.algorithm}, certificate until {until:%Y-%m-%d})")
    if plan.key:
        ends = plan.key.certificate.not_valid_after_utc
        click.echo(
            f"to key   {plan.key.id} ({plan.key.algorithm}, certificate until {ends:%Y-%m-%d})"
        )
    else:
        keys = settings.keys
        click.echo(
            f"to a new key (RSA {keys.rsa_bits}, in custody {plan.custody!r}, certificate for "
            f"{keys.certificate_days} days)"
        )
    number = len(plan.accounts)
    click.echo(f"1. Publish {plan.certificates} certificates in the metadata.")
    click.echo(f"2. Push the metadata to {number} AWS account{'s' * (number != 1)}, read it back:")
    form = "   " + columns(plan.accounts, True)
    for account in plan.accounts:
        line = form.format(account.alias, account.number, account.provider_name, _proof(account))
        click.echo(line.rstrip())
    for account in plan.excluded:
        click.echo(f"   EXCLUDED: {account.alias} ({account.number})")
    click.echo("3. When all of them hold the new certificate: sign with the new key.")
    click.echo(f"4. Leave the old certificate published for {written(plan.overlap)}.")
    click.echo("5. Take it out of every account, and retire the old key.")
    warn_of_exclusion(plan.excluded)


def warn_of_exclusion(excluded: tuple[Account, ...]) -> None:
    """Say what it means to leave accounts out."""
    for account in excluded:
        click.echo(
            f"Mind: {account.alias} ({account.number}) is left out. Once the new key signs, nobody "
            f"can sign in there until it has the new certificate: idp aws register {account.alias}",
            err=True,
        )


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values."""
    return {
        "old_key": plan.old.id,
        "next_key": plan.key.id if plan.key else None,
        "custody": plan.custody,
        "certificates": plan.certificates,
        "overlap_seconds": int(plan.overlap.total_seconds()),
        "accounts": [
            {"number": each.number, "alias": each.alias, "probe_role": each.probe_role}
            for each in plan.accounts
        ],
        "excluded": [each.number for each in plan.excluded],
    }


def tell_report(report: Report, now: datetime) -> None:
    """Print how it stands: accounts, what has come of it, what to do."""
    accounts = [each.account for each in report.accounts]
    form = columns(accounts, True)
    for each in report.accounts:
        line = form.format(each.account.alias, each.account.number, each.word, _reason(each))
        click.echo(line.rstrip())
    tell_advice(
        [(each.account, each.progress.problem) for each in report.failures if each.progress.problem]
    )
    for sentence in report.sentences(now):
        click.echo(sentence)
    tell_warnings(report)


def tell_warnings(report: Report) -> None:
    """Print on standard error what somebody has to look after."""
    for sentence in report.warnings():
        click.echo(f"Mind: {sentence}", err=True)


def _proof(account: Account) -> str:
    return f"proved with {account.probe_role}" if account.probe_role else ""


def _reason(each: AccountReport) -> str:
    return each.progress.problem.message if each.failed and each.progress.problem else ""
