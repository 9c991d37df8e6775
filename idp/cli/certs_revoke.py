"""idp certs revoke: a key that must not be trusted any more, out of use everywhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from idp.audit.admin_events import SessionsEnded
from idp.audit.issued import issued_with
from idp.audit.log import AuditLog, utc_now
from idp.audit.reading import Record
from idp.audit.text import printable
from idp.aws.account_refusal import AccountRefusal
from idp.aws.arn import ProviderArn
from idp.aws.iam import Reach
from idp.aws.registration import Registration
from idp.cli.acting import acting_admin, command_origin
from idp.cli.aws_register import problem_document, tell_advice
from idp.cli.aws_selection import reach_of, reach_options, stop_on_interrupt
from idp.cli.context import open_database, settings_from
from idp.cli.progress import progress_bar
from idp.db.engine import Database
from idp.entitlements.account import Account
from idp.entitlements.store import stored_accounts
from idp.errors import IdpError
from idp.keys.custody import CUSTODIES
from idp.keys.lifecycle import find_key
from idp.keys.publication import publish_metadata
from idp.keys.signing_key import SigningKey
from idp.rotation.departed import Departed, departed_holders
from idp.rotation.distribution import distribute
from idp.rotation.emergency import (
    Revocation,
    Revoked,
    carry_out,
    plan_revocation,
    successor_for,
)
from idp.rotation.registration_record import record_registration
from idp.settings import Settings
from idp.signin.sessions import end_everybody

Distributed = list[tuple[Account, Registration | AccountRefusal]]


class NoReason(IdpError):
    """The audit trail would not know why."""


class NotConfirmed(IdpError):
    """Nobody said yes."""


@click.command("revoke")
@click.argument("key", metavar="KEY")
@click.option("--reason", required=True, help="Why, for the audit trail.")
@click.option("--compromised", is_flag=True, help="It may be stolen: replace it at once.")
@click.option(
    "--keep",
    multiple=True,
    metavar="KEY",
    help="A key of the same folder that is known to be safe; may be repeated.",
)
@click.option("--custody", type=click.Choice(CUSTODIES), help="Of the new key. Default: the same.")
@click.option("--end-sessions", is_flag=True, help="Everybody has to sign in with us again.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@reach_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def revoke(
    context: click.Context,
    key: str,
    reason: str,
    compromised: bool,
    keep: tuple[str, ...],
    custody: str | None,
    end_sessions: bool,
    yes: bool,
    workers: int,
    timeout: float,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Revoke KEY, by its identifier or fingerprint: it is published no more and never signs again.

    With --compromised the active key can be revoked: a new one signs from that moment on, and so
    do the other published keys go that lie in the same folder, for whoever read one file could
    read all. Every registered AWS account then gets the new metadata; until it has, nobody can
    sign in to that account. Run the command again for accounts that failed: they still trust the
    stolen key. Accounts that were removed from the list, and providers that were exchanged for
    others, are named if they may still trust it: nobody but you can reach them.

    Printed is every assertion that the revoked keys ever signed, from the audit trail. Whatever
    else CloudTrail knows was not ours: see `idp audit reconcile`.

    Exit codes: 0 done in all registered accounts, 1 some of them still trusts the key, 2 bad input.

    \b
    Examples:
      idp certs revoke 5f2c --compromised --reason "backup tape lost" --end-sessions
      idp certs revoke 5f2c --reason "made by mistake"
    """
    if not reason.strip():
        raise NoReason("A key is revoked for a reason, which the audit trail keeps.", "Give one.")
    settings = settings_from(context)
    reach = reach_of(settings, endpoint_url, timeout)
    database = open_database(context)
    with database.reading() as session:
        found = find_key(session, key)
        kept = [find_key(session, each).id for each in keep]
        planned = plan_revocation(session, found, compromised=compromised, keep=kept)
        accounts = list(stored_accounts(session))
    _confirm(planned, found, accounts, end_sessions, yes)
    done = _carry_out(
        database, settings, planned, custody or found.custody, reason, compromised, end_sessions
    )
    distributed = _tell_accounts(database, settings, accounts, reach, workers)
    revoked = done.keys or (found,)
    ledger = [row for each in revoked for row in issued_with(database, each.fingerprint)]
    ledger.sort(key=lambda record: record.seq)
    departed = _departed(database, revoked)
    if as_json:
        document = _document(revoked, done, distributed, ledger)
        document["departed"] = [_departed_document(each) for each in departed]
        click.echo(json.dumps(document, indent=2))
    else:
        _print_ledger(ledger)
    _sum_up(revoked, done, distributed, ledger)
    _tell_departed(departed)
    if any(isinstance(answer, AccountRefusal) for _, answer in distributed):
        context.exit(1)


def _confirm(
    planned: Revocation,
    found: SigningKey,
    accounts: Sequence[Account],
    end_sessions: bool,
    yes: bool,
) -> None:
    for key in planned.keys:
        beside = "" if key.id == found.id else f"; it lies beside {found.id}"
        click.echo(f"Key {key.id} ({key.state}) is revoked{beside}.", err=True)
    if not planned.keys:
        click.echo(f"Key {found.id} is revoked already; the accounts are told again.", err=True)
    if planned.needs_successor:
        click.echo("A new key is made and signs at once.", err=True)
    if accounts:
        plural = "" if len(accounts) == 1 else "s"
        click.echo(f"{len(accounts)} AWS account{plural}: the metadata is replaced.", err=True)
    if end_sessions:
        click.echo("Everybody is signed out.", err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed("Nothing was done: nobody is here to say yes.", "Give --yes.")
    if not click.confirm("Go on?", err=True):
        raise NotConfirmed("Nothing was done.")


def _carry_out(
    database: Database,
    settings: Settings,
    planned: Revocation,
    custody: str,
    reason: str,
    compromised: bool,
    end_sessions: bool,
) -> Revoked:
    audit, actor, origin = AuditLog(database), acting_admin(), command_origin()
    with (
        successor_for(
            database, settings, planned, custody=custody, actor=actor, now=utc_now()
        ) as new,
        database.writing() as session,
    ):
        done = carry_out(
            session,
            audit,
            planned,
            new,
            reason=reason,
            compromised=compromised,
            actor=actor,
            origin=origin,
            now=utc_now(),
        )
        if end_sessions:
            ended = end_everybody(session)
            event = SessionsEnded(actor=actor, subject="everybody", changes={"sessions": ended})
            audit.append(session, event, origin)
    return done


def _tell_accounts(
    database: Database,
    settings: Settings,
    accounts: Sequence[Account],
    reach: Reach,
    workers: int,
) -> Distributed:
    with database.reading() as session:
        published = publish_metadata(session, settings, utc_now())
    results: Distributed = []
    with stop_on_interrupt() as stopped, progress_bar() as show:
        show("Accounts", 0, len(accounts))
        for account, answer in distribute(
            accounts, published.xml, reach, workers=workers, stopped=stopped
        ):
            if isinstance(answer, Registration):
                record_registration(
                    AuditLog(database),
                    account,
                    answer,
                    published,
                    settings.entity_id,
                    acting_admin(),
                    command_origin(),
                )
            results.append((account, answer))
            show("Accounts", len(results), len(accounts))
    return sorted(results, key=lambda each: each[0].alias)


def _print_ledger(ledger: Sequence[Record]) -> None:
    for record in ledger:
        told = record.told()
        roles = " ".join(map(str, told.get("roles", ())))
        cells = (record.at, record.assertion_id or "", record.actor, roles, record.address)
        click.echo("\t".join(printable(cell) for cell in cells))


def _document(
    revoked: Sequence[SigningKey], done: Revoked, distributed: Distributed, ledger: Sequence[Record]
) -> dict[str, Any]:
    return {
        "revoked": [{"id": key.id, "fingerprint": key.fingerprint} for key in revoked],
        "successor": done.successor
        and {"id": done.successor.id, "fingerprint": done.successor.fingerprint},
        "accounts": [
            {
                "number": account.number,
                "alias": account.alias,
                "outcome": "failed" if isinstance(answer, AccountRefusal) else answer.outcome.value,
                "problem": problem_document(answer if isinstance(answer, AccountRefusal) else None),
            }
            for account, answer in distributed
        ],
        "assertions": [
            {
                "row": record.seq,
                "at": record.at,
                "assertion_id": record.assertion_id,
                "actor": record.actor,
                "address": record.address,
                "roles": record.told().get("roles", []),
                "session_name": record.told().get("session_name"),
                "key": record.told().get("key"),
            }
            for record in ledger
        ],
    }


def _sum_up(
    revoked: Sequence[SigningKey], done: Revoked, distributed: Distributed, ledger: Sequence[Record]
) -> None:
    names = ", ".join(key.id for key in revoked)
    plural = "" if len(ledger) == 1 else "s"
    click.echo(f"Revoked: {names}. {len(ledger):,} assertion{plural} signed.", err=True)
    if done.successor:
        click.echo(f"Key {done.successor.id} signs from now on.", err=True)
    failed = [(account, answer) for account, answer in distributed if not _told(answer)]
    for account, answer in failed:
        if isinstance(answer, AccountRefusal):
            click.secho(
                f"{account.alias} {account.number} STILL TRUSTS THE REVOKED KEY: {answer.message}",
                fg="red",
                err=True,
            )
    tell_advice([each for each in failed if isinstance(each[1], AccountRefusal)])  # type: ignore[misc]
    if distributed:
        good, all_ = len(distributed) - len(failed), len(distributed)
        accounts = "account is" if all_ == 1 else "accounts are"
        click.echo(f"{good} of {all_} {accounts} up to date.", err=True)


def _departed(database: Database, revoked: Sequence[SigningKey]) -> list[Departed]:
    """The providers off the list, each once, with the certificate that was seen there last."""
    found: dict[ProviderArn, Departed] = {}
    for key in revoked:
        for each in departed_holders(database, key):
            known = found.setdefault(each.provider, each)
            found[each.provider] = max(known, each, key=lambda departed: departed.held_at)
    return list(found.values())


def _tell_departed(departed: Sequence[Departed]) -> None:
    for each in departed:
        name = f"{each.alias} {each.provider.account}".strip()
        left = (
            f"left the list of accounts on {_day(each.left_at)}"
            if each.left_at
            else "is not on the list of accounts"
        )
        held = (
            f"was last seen to hold the certificate on {_day(each.held_at)}"
            if each.held_at
            else "may have been given the certificate"
        )
        click.secho(
            f"{name} MAY STILL TRUST THE REVOKED KEY: {each.provider} {left}, and {held}.",
            fg="red",
            err=True,
        )
    if departed:
        click.echo(
            "They are not told from here. With credentials of each account delete the provider:",
            err=True,
        )
    for each in departed:
        click.echo(f"  {_deletion(each)}", err=True)
    if departed:
        click.echo(
            "Or, where it is still needed, put the account on the list again (idp aws account add) "
            "and run this command again.",
            err=True,
        )


def _departed_document(each: Departed) -> dict[str, Any]:
    return {
        "number": each.provider.account,
        "alias": each.alias or None,
        "provider": str(each.provider),
        "left_at": each.left_at or None,
        "held_at": each.held_at or None,
        "advice": _deletion(each),
    }


def _deletion(each: Departed) -> str:
    return f"aws iam delete-saml-provider --saml-provider-arn {each.provider}"


def _day(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"


def _told(answer: Registration | AccountRefusal) -> bool:
    return not isinstance(answer, AccountRefusal)
