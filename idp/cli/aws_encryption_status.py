"""idp aws encryption status: what we encrypt to, against what IAM can decrypt."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from idp.aws.account_refusal import AccountRefusal, refusal_of
from idp.aws.decryption_keys import REQUIRED, HeldKeys, ProviderKeys
from idp.aws.encryption_state import EncryptionState, Work
from idp.aws.iam import AccountTarget, Reach, open_account
from idp.aws.provider_content import short_fingerprint
from idp.aws.side_by_side import side_by_side
from idp.cli.aws_register import problem_document, tell_advice
from idp.cli.aws_selection import (
    columns,
    named_accounts,
    reach_of,
    reach_options,
    stop_on_interrupt,
)
from idp.cli.context import open_database, settings_from
from idp.cli.progress import progress_bar
from idp.entitlements.account import Account
from idp.entitlements.encryption import encryption_since, stored_encryption
from idp.entitlements.store import stored_accounts
from idp.rotation.distribution import GRACE_SECONDS, target_of


@dataclass(frozen=True, slots=True)
class EncryptionStatus:
    """One account: what we do, and what IAM holds (None: not found out, see `refusal`)."""

    account: Account
    state: EncryptionState
    since: datetime | None
    held: HeldKeys | None
    refusal: AccountRefusal | None

    @property
    def notes(self) -> list[str]:
        """What is not as it should be."""
        state, held, said = self.state, self.held, []
        if state.work is not Work.NONE:
            said.append(f"unfinished: run idp aws encryption {state.work.value} again")
        if held is None:
            return said
        if state.key is not None:
            if state.key_id not in held.ids:
                said.append("IAM does not hold the key in use: nobody can sign in")
            if held.uuid != state.provider_id:
                said.append(f"sign-in URLs carry {state.provider_id}, not {held.uuid}")
            if held.mode != REQUIRED:
                said.append("IAM still takes assertions in plain: run idp aws encryption enable")
        elif held.mode == REQUIRED:
            said.append("IAM requires encryption, and we send in plain: nobody can sign in")
        ours = {state.key_id, state.pending_id, *state.retiring}
        if others := [key_id for key_id in held.ids if key_id not in ours]:
            said.append(f"keys that are not ours: {', '.join(others)}")
        return said

    @property
    def word(self) -> str:
        """The state in a word or two."""
        if self.held is None:
            return "UNREACHABLE"
        if self.notes:
            return "DIFFERS"
        return "encrypted" if self.state.key else "plain"


@click.command()
@click.argument("accounts", nargs=-1, metavar="[ACCOUNT]...")
@reach_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--exit-code", is_flag=True, help="End with 1 if anything differs, for monitoring.")
@click.pass_context
def status(
    context: click.Context,
    accounts: tuple[str, ...],
    workers: int,
    timeout: float,
    endpoint_url: str | None,
    as_json: bool,
    exit_code: bool,
) -> None:
    """What we encrypt to and what IAM can decrypt; all accounts, or those named.

    Nothing is changed.

    \b
    Examples:
      idp aws encryption status
      idp aws encryption status prod --json
    """
    settings, database = settings_from(context), open_database(context)
    reach = reach_of(settings, endpoint_url, timeout)
    with database.reading() as session:
        wanted = named_accounts(stored_accounts(session), accounts, not accounts)
        known = {
            each.number: (
                stored_encryption(session, each.number),
                encryption_since(session, each.number),
            )
            for each in wanted
        }
    found: list[EncryptionStatus] = []
    with stop_on_interrupt() as stopped, progress_bar() as show:
        for account, answer in side_by_side(
            wanted,
            lambda account: _held(target_of(account), reach),
            workers=workers,
            longest=reach.total + GRACE_SECONDS,
            stopped=stopped,
        ):
            state, since = known[account.number]
            held = answer if isinstance(answer, HeldKeys) else None
            refusal = _refusal(account, answer) if isinstance(answer, Exception) else None
            found.append(EncryptionStatus(account, state, since, held, refusal))
            show("Accounts", len(found), len(wanted))
    found.sort(key=lambda each: each.account.alias)
    if as_json:
        click.echo(json.dumps([_document(each) for each in found], indent=2))
    else:
        _print(found)
    tell_advice([(each.account, each.refusal) for each in found if each.refusal])
    if exit_code and any(each.refusal or each.notes for each in found):
        context.exit(1)


def _held(target: AccountTarget, reach: Reach) -> HeldKeys:
    with open_account(target, reach) as account:
        return ProviderKeys(account, target.provider).look()


def _refusal(account: Account, problem: Exception) -> AccountRefusal:
    target = target_of(account)
    return refusal_of(problem, target.provider, target.access)


def _print(found: Sequence[EncryptionStatus]) -> None:
    line = columns([each.account for each in found], sys.stdout.isatty())
    for each in found:
        said = [f"IAM: {each.held.mode or 'no mode'}"] if each.held else []
        if each.state.key:
            day = f" since {each.since:%Y-%m-%d}" if each.since else ""
            said.append(
                f"key {short_fingerprint(each.state.key.fingerprint)} ({each.state.key_id}){day}"
            )
        said += each.notes
        if each.refusal:
            said.append(each.refusal.message)
        text = line.format(each.account.alias, each.account.number, each.word, "; ".join(said))
        click.echo(text.rstrip())


def _document(each: EncryptionStatus) -> dict[str, Any]:
    state, held = each.state, each.held
    return {
        "number": each.account.number,
        "alias": each.account.alias,
        "provider_arn": str(each.account.provider),
        "state": each.word.lower(),
        "encrypted": state.key is not None,
        "fingerprint": state.key.fingerprint if state.key else None,
        "key_id": state.key_id or None,
        "since": each.since.isoformat() if each.since else None,
        "unfinished": state.work.value or None,
        "provider_id_in_sign_in_urls": state.provider_id,
        "mode_in_iam": (held.mode or None) if held else None,
        "keys_in_iam": list(held.ids) if held else None,
        "provider_uuid": (held.uuid or None) if held else None,
        "notes": each.notes,
        "problem": problem_document(each.refusal),
    }
