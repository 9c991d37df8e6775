"""Making one change of encryption in many accounts, and telling how it went."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric import rsa

from idp.aws.account_refusal import AccountRefusal, refusal_of
from idp.aws.arn import RoleArn
from idp.aws.encryption import Done, TrustLacking, Wish
from idp.aws.encryption_state import ChangedTrust, Record
from idp.aws.endpoints import in_order, sign_in_endpoint
from idp.aws.iam import AccountTarget, Reach
from idp.aws.side_by_side import side_by_side
from idp.aws.trust_update import diff
from idp.cli.acting import command_origin
from idp.cli.aws_encryption_record import StoredEncryption
from idp.cli.aws_register import problem_document, tell_advice
from idp.cli.aws_selection import (
    NoSuchSelection,
    columns,
    named_accounts,
    reach_of,
    stop_on_interrupt,
)
from idp.cli.context import open_database, settings_from
from idp.cli.progress import progress_bar
from idp.entitlements.account import Account
from idp.entitlements.store import stored_accounts
from idp.keys.ring import KeyRing
from idp.rotation.distribution import GRACE_SECONDS, target_of
from idp.settings import Settings

Change = Callable[[AccountTarget, Reach, Record, Wish], Done]
_SETTLINGS = 4  # how often a change waits at most, rolling back and all


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    accounts: tuple[str, ...]
    everything: bool
    dry_run: bool
    settle: float
    workers: int
    timeout: float
    endpoint_url: str | None
    as_json: bool
    bits: int = 3072
    probe_roles: Mapping[str, RoleArn] = field(default_factory=dict)
    update_trust: bool = False
    check_trust: bool = True

    @classmethod
    def of(cls, *, probe_roles: Sequence[str] = (), bits: str = "3072", **options: Any) -> Asked:
        """Read the options. Raises BadArn and NoSuchSelection."""
        roles: dict[str, RoleArn] = {}
        for text in probe_roles:
            role = RoleArn.parse(text)
            if role.account in roles:
                raise NoSuchSelection(
                    f"Two probe roles are given for the account {role.account}.", "Give one."
                )
            roles[role.account] = role
        return cls(bits=int(bits), probe_roles=roles, **options)


@dataclass(frozen=True, slots=True)
class Result:
    """How it went in one account; exactly one of `done` and `refusal` is set."""

    account: Account
    done: Done | None
    refusal: AccountRefusal | None

    @property
    def word(self) -> str:
        """The result in a word or two."""
        return self.done.outcome.value if self.done else "FAILED"

    @property
    def trust(self) -> tuple[ChangedTrust, ...]:
        """Trust policies that were changed, or that need to be."""
        if self.done:
            return self.done.trust
        return self.refusal.changes if isinstance(self.refusal, TrustLacking) else ()


def run_change(context: click.Context, asked: Asked, change: Change) -> None:
    """Make the change in the accounts asked for; the exit code is 1 if one of them fails.

    Raises NoSuchSelection and BadApiEndpoint.
    """
    settings, database = settings_from(context), open_database(context)
    reach = reach_of(settings, asked.endpoint_url, asked.timeout)
    # Waiting on purpose is no part of the time that AWS may take.
    reach = replace(reach, total=reach.total + _SETTLINGS * asked.settle)
    with database.reading() as session:
        wanted = named_accounts(stored_accounts(session), asked.accounts, asked.everything)
    _refuse_strange_probes(asked, wanted)
    keys, origin = KeyRing(database, settings), command_origin()
    terminal = sys.stdout.isatty()
    output, line = sys.stdout, columns(wanted, terminal)
    results: list[Result] = []
    with stop_on_interrupt() as stopped, progress_bar() as show:
        show("Accounts", 0, len(wanted))

        def work(account: Account) -> Done:
            probe = asked.probe_roles.get(account.number) or _probe_role_of(account)
            record = StoredEncryption(
                account, database, settings, keys, reach, origin, probe, asked.settle
            )
            wish = _wish(asked, account, settings, stopped)
            return change(target_of(account), reach, record, wish)

        for account, answer in side_by_side(
            wanted,
            work,
            workers=asked.workers,
            longest=2 * reach.total + GRACE_SECONDS,
            stopped=stopped,
        ):
            result = _result(account, answer)
            results.append(result)
            if not asked.as_json:
                text = line.format(account.alias, account.number, result.word, _detail(result))
                click.echo(text.rstrip(), file=None if terminal else output)
                for each in result.trust:
                    click.echo(diff(each), file=None if terminal else output)
            show("Accounts", len(results), len(wanted))
    if asked.as_json:
        ordered = sorted(results, key=lambda result: result.account.alias)
        click.echo(json.dumps([_document(result) for result in ordered], indent=2))
    tell_advice([(result.account, result.refusal) for result in results if result.refusal])
    if any(result.refusal for result in results):
        context.exit(1)


def _wish(asked: Asked, account: Account, settings: Settings, stopped: Callable[[], bool]) -> Wish:
    def addresses(provider_id: str) -> list[str]:
        return [
            sign_in_endpoint(
                account.partition,
                code,
                provider_id=provider_id,
                sandbox_url=settings.aws.sandbox_url,
            ).acs
            for code in in_order(settings.aws.endpoints, account.partition)
        ]

    return Wish(
        addresses=addresses,
        make_key=lambda: rsa.generate_private_key(65537, asked.bits),
        update_trust=asked.update_trust,
        check_trust=asked.check_trust,
        settle=asked.settle,
        dry_run=asked.dry_run,
        stopped=stopped,
    )


def _probe_role_of(account: Account) -> RoleArn | None:
    return RoleArn.parse(account.probe_role) if account.probe_role else None


def _refuse_strange_probes(asked: Asked, wanted: Sequence[Account]) -> None:
    numbers = {account.number for account in wanted}
    for number, role in asked.probe_roles.items():
        if number not in numbers:
            raise NoSuchSelection(
                f"The probe role {role} lies in none of the accounts meant.",
                "Nothing was done. Name its account too, or leave it out.",
            )


def _result(account: Account, answer: Done | Exception) -> Result:
    if isinstance(answer, Done):
        return Result(account, answer, None)
    target = target_of(account)
    return Result(account, None, refusal_of(answer, target.provider, target.access))


def _detail(result: Result) -> str:
    if result.refusal:
        return result.refusal.message
    said = [str(result.account.provider)]
    if result.done:
        said += ["proven with the probe role"] if result.done.proven else []
        said += result.done.notes
    return "; ".join(said)


def _document(result: Result) -> dict[str, Any]:
    done = result.done
    return {
        "number": result.account.number,
        "alias": result.account.alias,
        "provider_arn": str(result.account.provider),
        "outcome": "failed" if result.refusal else result.word,
        "proven": bool(done and done.proven),
        "trust_policies": [
            {"role": each.role, "before": each.before, "after": each.after} for each in result.trust
        ],
        "notes": list(done.notes) if done else [],
        "problem": problem_document(result.refusal),
    }
