"""idp aws preflight: every reason for which AWS would refuse a response, before it does."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import click
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from idp.audit.admin_events import DryRunMade
from idp.audit.events import actor
from idp.audit.log import AuditLog, utc_now
from idp.aws.arn import RoleArn
from idp.cli.acting import acting_admin, command_origin
from idp.cli.circumstances import circumstance_options, circumstances_of
from idp.cli.context import directories_of, open_database, settings_from
from idp.directory.local import NoSuchUser
from idp.directory.person import Person
from idp.entitlements.evaluate import evaluate
from idp.entitlements.explain import explain
from idp.entitlements.explain_words import explanation_document, story
from idp.entitlements.facts import Circumstances
from idp.entitlements.plan_words import printable
from idp.entitlements.store import Entitlements
from idp.errors import IdpError
from idp.keys.ring import KeyRing
from idp.preflight import pasted, trust_policy
from idp.preflight.dry_run import DryRun, make_dry_run
from idp.preflight.judging import Preflight, judge
from idp.preflight.own import own_provider
from idp.preflight.pasted import BadInput, read_pasted
from idp.preflight.report import Report
from idp.preflight.role_rules import RoleQuestion
from idp.preflight.trust_policy import TrustPolicy, read_trust_policy
from idp.preflight.words import (
    MARKS,
    check_line,
    check_story,
    held_against,
    remarks,
    report_document,
    summary,
)
from idp.sandbox.judge.metadata import LONGEST as LONGEST_METADATA
from idp.sso.handover import Handover, RoleNotGranted

_EXIT = {"taken": 0, "refused": 1, "open": 2}
_COLOURS = {MARKS[True]: "green", MARKS[False]: "red"}
_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True)
_FEW_RULES = 20  # are all explained; of more only those that came close
_SHORTEST_LIMIT, _LONGEST_LIMIT = 3600, 43200


@dataclass(frozen=True, slots=True)
class _Known:
    """What the options say of the AWS that the response goes to."""

    metadata: str
    policy: TrustPolicy | None
    role: RoleArn | None
    endpoint: str
    longest: int | None
    at: datetime | None
    as_issued: bool


@click.command()
@click.option("--response", type=_FILE, help="Judge the response in this file; - reads.")
@click.option("--user", help="Dry run: judge what this user would get for --role.")
@click.option("--role", help="ARN of the role to assume. Default: the first of the assertion.")
@click.option("--metadata", type=_FILE, help="The metadata that IAM holds.")
@click.option("--trust-policy", type=_FILE, help="The role's, or what get-role prints.")
@click.option("--endpoint", help="URL that the response is posted to. Default: its Recipient.")
@click.option("--at", help='Judge as of this time, like 2026-01-31T12:00:00Z; "issued": its own.')
@click.option(
    "--max-session-duration",
    type=click.IntRange(_SHORTEST_LIMIT, _LONGEST_LIMIT),
    help="The role's MaxSessionDuration in seconds.",
)
@circumstance_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def preflight(
    context: click.Context,
    response: str | None,
    user: str | None,
    role: str | None,
    metadata: str | None,
    trust_policy: str | None,
    endpoint: str | None,
    at: str | None,
    max_session_duration: int | None,
    factor: tuple[str, ...],
    from_address: str | None,
    as_json: bool,
) -> None:
    """Name every reason for which AWS would refuse a SAML response, before AWS does.

    The response may be anybody's: AD FS, Okta, Keycloak, Shibboleth. Give what the browser posts
    to AWS, as XML, as base64, or as the form's body out of the browser's developer tools. With
    --user it is the one that a user of ours would get; it is thrown away afterwards.

    Exit code 0: AWS would take it; 1: AWS would refuse it; 2: it can't be judged, or not in full
    because --metadata is missing.

    \b
    Examples:
      idp aws preflight --response response.xml --metadata idp-metadata.xml
      idp aws preflight --response - --metadata okta.xml --at issued < form.txt
      idp aws preflight --user ann --role arn:aws:iam::111122223333:role/Developer
      aws iam get-role --role-name Developer > role.json
      idp aws preflight --response r.xml --metadata idp.xml --trust-policy role.json
    """
    if (response is None) == (user is None):
        raise click.UsageError("Give either --response or --user.")
    now = utc_now()
    known = _known(metadata, trust_policy, role, endpoint, max_session_duration, at)
    if response is not None:
        report = _judged(context, read_pasted(_read(response, pasted.LONGEST_INPUT)), known, now)
        _show(report, {}, as_json)
        context.exit(_EXIT[report.outcome])
    if known.role is None:
        raise click.UsageError("--user needs --role: the ARN of the role to try.")
    circumstances = circumstances_of(factor, from_address)
    _try(context, str(user), known.role, known, circumstances, now, as_json)


def _known(
    metadata: str | None,
    policy: str | None,
    role: str | None,
    endpoint: str | None,
    longest: int | None,
    at: str | None,
) -> _Known:
    if endpoint and not _is_address(endpoint):
        raise BadInput(
            "The endpoint is not a URL.", "Write it like https://signin.aws.amazon.com/saml."
        )
    return _Known(
        metadata=_metadata(metadata) if metadata else "",
        policy=read_trust_policy(_read(policy, trust_policy.LONGEST_INPUT)) if policy else None,
        role=RoleArn.parse(role) if role else None,
        endpoint=endpoint or "",
        longest=longest,
        at=_time(at) if at and at != "issued" else None,
        as_issued=at == "issued",
    )


def _is_address(text: str) -> bool:
    try:
        return bool(urlsplit(text).hostname) and text.startswith(("http://", "https://"))
    except ValueError:
        return False


def _read(path: str, most: int) -> bytes:
    """The file's content, and of one longer than `most` bytes one more, so that this shows."""
    try:
        with click.open_file(path, "rb") as file:
            content: bytes = file.read(most + 1)
    except OSError as problem:
        raise BadInput(f"{path} can't be read: {problem.strerror}.") from None
    return content


def _metadata(path: str) -> str:
    try:
        text = _read(path, 4 * LONGEST_METADATA).decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput("The metadata is not text in UTF-8.", "Save it as UTF-8.") from None
    if not text.strip():
        raise BadInput("The metadata is empty.", "Give the document that IAM holds.")
    return text


def _judged(
    context: click.Context,
    found: pasted.Pasted,
    known: _Known,
    now: datetime,
    reader: RSAPrivateKey | None = None,
) -> Report:
    settings = settings_from(context)
    asked = Preflight(
        response=found,
        metadata=known.metadata,
        role=RoleQuestion(known.role, known.policy, known.longest),
        endpoint=known.endpoint,
        at=known.at,
        as_issued=known.as_issued,
        sandbox_url=settings.aws.sandbox_url,
        reader=reader,
    )
    return judge(asked, own_provider(settings, lambda: open_database(context), now), now)


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(re.sub(r"Z$", "+00:00", text))
        moment = found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise BadInput(
            "The time of --at can't be read.", "Write it like 2026-01-31T12:00:00Z, or: issued."
        )
    return moment


def _try(
    context: click.Context,
    user: str,
    role: RoleArn,
    known: _Known,
    circumstances: Circumstances,
    now: datetime,
    as_json: bool,
) -> None:
    """The dry run, told and recorded."""
    settings, database = settings_from(context), open_database(context)
    person = directories_of(context).find_by_name(user)
    if person is None:
        raise NoSuchUser(
            f"No directory has an enabled user {user[:128]!r}.",
            "See what a directory says of them with: idp directory show NAME",
        )
    audit, entitlements = AuditLog(database), Entitlements(database)
    handover = Handover(database, settings, entitlements, KeyRing(database, settings), audit)
    try:
        made = make_dry_run(handover, database, person, role, now, circumstances)
    except IdpError as refusal:
        _record(audit, person, role, f"not made: {type(refusal).__name__}")
        _show_refusal(refusal, entitlements, person, circumstances, as_json)
        context.exit(1)
    report = _judged(context, made.response, known, now, made.reader)
    _record(audit, person, role, report.outcome)
    _show(report, _grant_document(person, made), as_json)
    context.exit(_EXIT[report.outcome])


def _record(audit: AuditLog, person: Person, role: RoleArn, outcome: str) -> None:
    event = DryRunMade(
        actor=acting_admin(),
        subject=actor(person),
        changes={"role": str(role), "outcome": outcome},
    )
    audit.record(event, command_origin())


def _grant_document(person: Person, made: DryRun) -> dict[str, Any]:
    return {
        "user": person.username,
        "rule": made.grant.rule,
        "account_alias": made.grant.account_alias,
    }


def _show_refusal(
    refusal: IdpError,
    entitlements: Entitlements,
    person: Person,
    circumstances: Circumstances,
    as_json: bool,
) -> None:
    """Why we would not even send it; for a role that isn't granted, what every rule said."""
    ruleset = entitlements.current()
    grants = evaluate(ruleset, person, circumstances)
    outcomes = explain(ruleset, person, circumstances)
    explained = isinstance(refusal, RoleNotGranted)
    if as_json:
        document: dict[str, Any] = {
            "outcome": "not_sent",
            "summary": refusal.message,
            "advice": refusal.advice,
        }
        if explained:
            document["explanation"] = explanation_document(person, grants, outcomes)
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    if not explained:
        click.echo(f"This would not be sent to AWS: {printable(refusal.message)}")
        click.echo(printable(refusal.advice))
        return
    click.echo("This would not be sent to AWS: no rule gives that role to this user.\n")
    for line in story(person, grants, outcomes, everything=len(outcomes) <= _FEW_RULES):
        click.echo(printable(line))
    click.echo(f"\nMore: idp roles explain {printable(person.username)} --all")


def _show(report: Report, about: dict[str, Any], as_json: bool) -> None:
    if as_json:
        document = about | report_document(report)
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    colour = {"taken": "green", "refused": "red", "open": "yellow"}[report.outcome]
    click.secho(summary(report), fg=colour, bold=True)
    for remark in remarks(report):
        click.echo(remark)
    click.echo()
    if about:
        click.echo(
            f"{'Rule':<28} {about['rule']} gives {about['user']} the role "
            f"in {about['account_alias']}"
        )
    for what, value in held_against(report):
        click.echo(f"{what:<28} {printable(value)}")
    for section in report.sections:
        click.secho(f"\n{section.title}", bold=True)
        for check in section.checks:
            line = check_line(check)
            click.secho(line, fg=_COLOURS.get(line[0]))
            if check.passed is False:
                for what, text in check_story(check):
                    click.echo(f"    {what:<12} {text}")
