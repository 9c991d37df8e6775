"""idp aws register: our metadata into the IAM SAML provider of every account."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import click
from sqlalchemy.orm import Session

from idp.audit.admin_events import AccountChanged
from idp.audit.log import AuditLog, utc_now
from idp.aws.account_refusal import AccountRefusal, refusal_of
from idp.aws.endpoints import sign_in_endpoint
from idp.aws.provider_content import publishable
from idp.aws.registration import Outcome, Registration, register_account
from idp.aws.side_by_side import side_by_side
from idp.cli.acting import acting_admin, command_origin
from idp.cli.aws_selection import (
    columns,
    named_accounts,
    reach_of,
    reach_options,
    stop_on_interrupt,
)
from idp.cli.context import open_database, settings_from
from idp.cli.progress import progress_bar
from idp.db.engine import Database
from idp.entitlements.account import Account, account_document, check_account
from idp.entitlements.store import save_account, stored_accounts
from idp.keys.publication import publish_metadata
from idp.rotation.by_register import take_back
from idp.rotation.distribution import GRACE_SECONDS, target_of
from idp.rotation.lease import refuse_while_worked_on
from idp.rotation.record import open_rotation
from idp.rotation.registration_record import record_registration


@dataclass(frozen=True, slots=True)
class AccountResult:
    """How it went in one account; `registration` is None when nothing was changed or learnt.

    `url_switched`: from now on its sign-in URLs carry the provider's identifier.
    """

    account: Account
    registration: Registration | None
    refusal: AccountRefusal | None
    url_switched: bool = False

    @property
    def word(self) -> str:
        """The result in a word or two."""
        if self.refusal or self.registration is None:
            return "FAILED"
        return self.registration.outcome.value


@click.command()
@click.argument("accounts", nargs=-1, metavar="[ACCOUNT]...")
@click.option("--all", "everything", is_flag=True, help="Every registered account.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option(
    "--take-over", is_flag=True, help="Replace a provider that serves another identity provider."
)
@click.option(
    "--use-provider-urls",
    is_flag=True,
    help="Sign in with the URLs that carry the provider's identifier; trust policies must match.",
)
@reach_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def register(
    context: click.Context,
    accounts: tuple[str, ...],
    everything: bool,
    dry_run: bool,
    take_over: bool,
    use_provider_urls: bool,
    workers: int,
    timeout: float,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Create or update the IAM SAML provider in accounts, by number or alias.

    A provider that says what we publish already is left alone, so it can be run as often as one
    likes; after a failure or Ctrl-C, running it again does what is left. Credentials are the
    account's profile, its access role, or those that boto3 finds, and are checked to be of that
    very account first. On an endpoint on this machine, such as the sandbox, an account without
    profile or role is entered with its number as the access key.

    Exit codes: 0 all accounts are as wanted, 1 some are not, 2 bad input.

    \b
    Examples:
      idp aws register --all --dry-run
      idp aws register dev prod
      idp aws register --all --workers 8 --json
    """
    settings = settings_from(context)
    reach = reach_of(settings, endpoint_url, timeout)
    database = open_database(context)
    with database.reading() as session:
        wanted = named_accounts(stored_accounts(session), accounts, everything)
        _refuse_beside_rotation(session, dry_run)
        published = publish_metadata(session, settings, utc_now())
    publishable(published.xml)
    output = sys.stdout
    terminal = output.isatty()
    line = columns(wanted, terminal)
    results: list[AccountResult] = []
    with stop_on_interrupt() as stopped, progress_bar() as show:
        show("Accounts", 0, len(wanted))
        work = side_by_side(
            wanted,
            lambda account: register_account(
                target_of(account),
                published.xml,
                reach,
                dry_run=dry_run,
                take_over=take_over,
                stopped=stopped,
            ),
            workers=workers,
            longest=reach.total + GRACE_SECONDS,
            stopped=stopped,
        )
        for account, answer in work:
            result = _result(account, answer)
            if result.registration:
                record_registration(
                    AuditLog(database),
                    account,
                    result.registration,
                    published,
                    settings.entity_id,
                    acting_admin(),
                    command_origin(),
                )
            if use_provider_urls and not dry_run:
                result = _use_provider_url(database, result)
            results.append(result)
            if not as_json:
                # The progress bar takes standard output over, which is right for a terminal alone.
                text = line.format(account.alias, account.number, result.word, _detail(result))
                click.echo(text.rstrip(), file=None if terminal else output)
            show("Accounts", len(results), len(wanted))
    if not dry_run:
        _tell_rotation(database, results)
    if as_json:
        ordered = sorted(results, key=lambda result: result.account.alias)
        click.echo(json.dumps([_document(result) for result in ordered], indent=2))
    _sum_up(results)
    if any(result.refusal for result in results):
        context.exit(1)


def _refuse_beside_rotation(session: Session, dry_run: bool) -> None:
    """What is read now would be old metadata a moment later. Raises RotationBusy."""
    rotation = open_rotation(session)
    if rotation is not None and not dry_run:
        refuse_while_worked_on(session, rotation.id, utc_now())


def _tell_rotation(database: Database, results: Sequence[AccountResult]) -> None:
    """An account that was excluded is so no longer, once it holds what we publish."""
    good = [result.account for result in results if not result.refusal]
    with database.reading() as session:
        under_way = open_rotation(session) is not None
    if good and under_way:
        with database.writing() as session:
            take_back(session, good, utc_now())


def _result(account: Account, answer: Registration | Exception) -> AccountResult:
    if isinstance(answer, Exception):
        target = target_of(account)
        return AccountResult(account, None, refusal_of(answer, target.provider, target.access))
    return AccountResult(account, answer, answer.unchecked)


def _use_provider_url(database: Database, result: AccountResult) -> AccountResult:
    """Store the identifier seen, so that sign-in URLs carry it; the result says so then."""
    if result.refusal or not (uuid := _uuid(result)):
        return result
    with database.writing() as session:
        known = stored_accounts(session).find(result.account.number)
        if known is None or known.provider_id == uuid:
            return result
        changed = replace(known, provider_id=uuid)
        check_account(changed)
        save_account(session, changed)
        event = AccountChanged(
            actor=acting_admin(),
            subject=changed.number,
            changes=account_document(changed),
        )
        AuditLog(database).append(session, event, command_origin())
    return replace(result, account=changed, url_switched=True)


def _uuid(result: AccountResult) -> str:
    done = result.registration
    return done.provider.uuid if done and done.provider else ""


def _detail(result: AccountResult) -> str:
    if result.refusal:
        return result.refusal.message
    done = result.registration
    if done is None:
        return ""
    said = [str(result.account.provider), _uuid(result)]
    if done.outcome in (Outcome.UPDATED, Outcome.WOULD_UPDATE):
        said.append(f"(before: {done.before.words()})")
    if result.account.provider_id and _uuid(result) not in ("", result.account.provider_id):
        said.append(f"— sign-in URLs carry {result.account.provider_id}: give --use-provider-urls")
    return " ".join(filter(None, said))


def _document(result: AccountResult) -> dict[str, Any]:
    done, refusal = result.registration, result.refusal
    return {
        "number": result.account.number,
        "alias": result.account.alias,
        "provider_arn": str(result.account.provider),
        "outcome": "failed" if refusal else result.word,
        "changed": bool(done and done.outcome.changed),
        "provider_uuid": _uuid(result) or None,
        "provider_id_in_sign_in_urls": result.account.provider_id,
        "before": asdict(done.before) if done else None,
        "problem": problem_document(refusal),
    }


def problem_document(refusal: AccountRefusal | None) -> dict[str, str] | None:
    """A refusal for programs."""
    if refusal is None:
        return None
    return {"kind": refusal.kind, "message": refusal.message, "advice": refusal.advice}


def tell_advice(refused: Sequence[tuple[Account, AccountRefusal]]) -> None:
    """What to do, on standard error: each piece of advice once, with the accounts it is for."""
    advised: dict[str, list[str]] = {}
    for account, refusal in refused:
        if refusal.advice:
            advised.setdefault(refusal.advice, []).append(account.alias)
    for advice, aliases in advised.items():
        more = f" and {len(aliases) - 10} more" if len(aliases) > 10 else ""
        click.echo(f"{', '.join(sorted(aliases)[:10])}{more}: {advice}", err=True)


def _sum_up(results: Sequence[AccountResult]) -> None:
    tell_advice([(result.account, result.refusal) for result in results if result.refusal])
    for result in results:
        if result.url_switched:
            acs = sign_in_endpoint(result.account.partition, provider_id=_uuid(result)).acs
            text = f"{result.account.alias}: people are now sent to {acs}"
            click.echo(f"{text}; its roles' trust policies must allow that as saml:aud.", err=True)
    count = partial(_counted, results)
    words = [count(word) for word in (*(each.value for each in Outcome), "FAILED")]
    plural = "" if len(results) == 1 else "s"
    click.echo(f"{len(results)} account{plural}: {', '.join(filter(None, words))}.", err=True)


def _counted(results: Sequence[AccountResult], word: str) -> str:
    number = sum(result.word == word for result in results)
    return f"{number} {word}" if number else ""
