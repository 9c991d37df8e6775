"""idp certs rotate: a new signing key, in every AWS account before it signs."""

from __future__ import annotations

import json
from datetime import timedelta

import click

from idp.audit.log import utc_now
from idp.aws.iam import Reach
from idp.cli.aws_selection import reach_of, reach_options
from idp.cli.confirmation import confirm
from idp.cli.context import open_database, settings_from
from idp.cli.rotation_surroundings import surroundings
from idp.cli.rotation_words import (
    plan_document,
    tell_plan,
    tell_report,
    tell_warnings,
    warn_of_exclusion,
)
from idp.cli.span import Span
from idp.entitlements.account import Account
from idp.entitlements.store import stored_accounts
from idp.errors import IdpError
from idp.keys.custody import CUSTODIES
from idp.rotation.lease import RotationBusy
from idp.rotation.plan import Plan, make_plan, named_exclusions
from idp.rotation.record import Phase, Rotation, RotationRefused, open_rotation
from idp.rotation.report import Report, report_of
from idp.rotation.rotate import abort as go_back
from idp.rotation.rotate import refuse_abort
from idp.rotation.rotate import resume as go_on
from idp.rotation.rotate import rotate as begin_rotation
from idp.rotation.schedule import Due, what_is_due


class BadCombination(IdpError):
    """Options that don't go together."""


@click.command()
@click.option("--resume", is_flag=True, help="Go on with the rotation under way.")
@click.option("--abort", is_flag=True, help="Go back, while the new key does not sign yet.")
@click.option("--schedule", is_flag=True, help="For a timer: do what is due now, if anything.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="ACCOUNT",
    help="Go on without an account, where nobody can sign in then; may be repeated.",
)
@click.option("--overlap", type=Span(), help="How long the old certificate stays, like 72h.")
@click.option(
    "--custody",
    type=click.Choice(CUSTODIES),
    help="Where the new key is made. Default: where the active one is.",
)
@click.option("--key", default="", metavar="KEY", help="A next key that is there already.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@reach_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def rotate(
    context: click.Context,
    resume: bool,
    abort: bool,
    schedule: bool,
    exclude: tuple[str, ...],
    overlap: timedelta | None,
    custody: str | None,
    key: str,
    dry_run: bool,
    yes: bool,
    workers: int,
    timeout: float,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Replace the signing key, while everybody goes on signing in.

    Makes the next key, publishes both certificates, brings them into the SAML provider of every
    registered AWS account and reads it back, proves the key where an account has a probe role,
    and only then lets it sign. After the overlap the old certificate is taken out again.

    It may be killed at any point: the next call goes on where it was. An account that fails leaves
    the old key signing. Only one call works at a time.

    Exit codes: 0 done as far as it can be done now (with --schedule also: nothing is due); 1 some
    account failed, or it was stopped, or all that is left is to wait for the end of the overlap;
    2 bad input, nothing to go on with, or another process works on it.

    \b
    Examples:
      idp certs rotate --dry-run
      idp certs rotate --overlap 72h
      idp certs rotate --resume --exclude sandbox
      idp certs rotate --abort
      idp certs rotate --schedule       every hour, from a timer
    """
    _check_options(resume, abort, schedule, exclude, bool(overlap or custody or key))
    settings, database = settings_from(context), open_database(context)
    reach = reach_of(settings, endpoint_url, timeout)
    now = utc_now()
    if schedule:
        with database.reading() as session:
            due = what_is_due(session, settings, now)
        if due is Due.NOTHING:
            if dry_run and not as_json:
                click.echo("Nothing is due.")
            return
        yes, resume = True, due is Due.GO_ON
    with database.reading() as session:
        rotation = open_rotation(session)
        waited = rotation is not None and bool(report_of(session, rotation.id).waits_until(now))
        excluded = named_exclusions(stored_accounts(session), exclude)
        plan = None
        if rotation is None and not (resume or abort):
            plan = make_plan(
                session,
                settings,
                now,
                overlap=overlap,
                custody=custody or "",
                key=key,
                exclude=exclude,
            )
    if plan is None:
        _refuse_settings_of_another(rotation, bool(overlap or custody or key))
    if schedule and not dry_run:
        pass  # a timer's mail has what came of it, no more
    elif plan:
        _show_plan(context, plan, as_json, quiet=as_json and not dry_run)
    else:
        _show_open(context, rotation, excluded, abort, as_json and not dry_run, as_json)
    if dry_run:
        return
    if not (resume or abort):
        confirm("Go on?", yes)
    try:
        done = _work(context, reach, workers, plan, excluded, abort)
    except RotationBusy:
        if schedule:
            return
        raise
    with database.reading() as session:
        report = report_of(session, done)
    _tell(report, as_json)
    context.exit(_exit_code(report, only_waited=waited))


def _check_options(
    resume: bool, abort: bool, schedule: bool, exclude: tuple[str, ...], for_new: bool
) -> None:
    modes = [
        name
        for name, given in (("--resume", resume), ("--abort", abort), ("--schedule", schedule))
        if given
    ]
    if len(modes) > 1:
        raise BadCombination(f"{' and '.join(modes)} don't go together.", "Give one of them.")
    if modes and for_new:
        raise BadCombination(
            f"--overlap, --custody and --key are for a new rotation, not for {modes[0]}.",
            "Leave them out.",
        )
    if schedule and exclude:
        raise BadCombination(
            "--schedule excludes no account by itself.",
            "Do it by hand: idp certs rotate --resume --exclude ACCOUNT",
        )


def _refuse_settings_of_another(rotation: Rotation | None, for_new: bool) -> None:
    if rotation is not None and for_new:
        raise BadCombination(
            f"Rotation {rotation.id} is under way, with an overlap and a key of its own.",
            "Go on with it: idp certs rotate --resume. Or go back: idp certs rotate --abort",
        )


def _show_plan(context: click.Context, plan: Plan, as_json: bool, *, quiet: bool) -> None:
    if quiet:
        warn_of_exclusion(plan.excluded)
    elif as_json:
        click.echo(json.dumps(plan_document(plan), indent=2))
        warn_of_exclusion(plan.excluded)
    else:
        tell_plan(plan, settings_from(context))


def _show_open(
    context: click.Context,
    rotation: Rotation | None,
    excluded: tuple[Account, ...],
    abort: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Say which rotation is gone on with, or would be."""
    if rotation is None:
        raise RotationRefused("No rotation is under way.", "Begin one: idp certs rotate")
    if abort:
        refuse_abort(rotation)
    warn_of_exclusion(excluded)
    if quiet:
        return
    if as_json:
        with open_database(context).reading() as session:
            click.echo(json.dumps(report_of(session, rotation.id).document(), indent=2))
    else:
        direction = "Going back with" if abort else "Going on with"
        click.echo(
            f"{direction} rotation {rotation.id} ({rotation.phase}), begun "
            f"{rotation.started_at:%Y-%m-%d %H:%M} UTC by {rotation.started_by}: "
            f"from key {rotation.old_key_id} to {rotation.next_key_id}."
        )


def _work(
    context: click.Context,
    reach: Reach,
    workers: int,
    plan: Plan | None,
    excluded: tuple[Account, ...],
    abort: bool,
) -> str:
    with surroundings(context, reach, workers) as around:
        if plan is not None:
            return begin_rotation(around, plan)
        return go_back(around, excluded) if abort else go_on(around, excluded)


def _tell(report: Report, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.document(), indent=2))
        tell_warnings(report)
    else:
        tell_report(report, utc_now())


def _exit_code(report: Report, *, only_waited: bool) -> int:
    if report.rotation.phase.ended:
        return 0
    if report.rotation.phase is Phase.OVERLAP and report.waits_until(utc_now()):
        return 1 if report.failures or only_waited else 0
    return 1
