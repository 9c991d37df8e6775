"""idp aws status: what every account holds, against what we publish."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from idp.audit.log import utc_now
from idp.aws.account_refusal import AccountRefusal, refusal_of
from idp.aws.provider_content import short_fingerprint
from idp.aws.registration import Inspection, inspect_account
from idp.aws.side_by_side import side_by_side
from idp.cli.aws_register import problem_document, tell_advice
from idp.cli.aws_selection import (
    named_accounts,
    reach_of,
    reach_options,
    stop_on_interrupt,
)
from idp.cli.context import open_database, settings_from
from idp.cli.progress import progress_bar
from idp.entitlements.account import Account
from idp.entitlements.store import stored_accounts
from idp.keys.publication import publish_metadata
from idp.keys.store import all_keys
from idp.rotation.distribution import GRACE_SECONDS, target_of


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """One account as it was found; exactly one of `found` and `refusal` is set."""

    account: Account
    found: Inspection | None
    refusal: AccountRefusal | None

    @property
    def notes(self) -> list[str]:
        """What would make sign-in fail although the metadata may be right."""
        provider = self.found.provider if self.found else None
        if provider is None:
            return []
        stored, said = self.account.provider_id, []
        if stored and provider.uuid and stored != provider.uuid:
            said.append(f"sign-in URLs carry {stored}, which is not this provider")
        if provider.encryption == "Required" and not stored:
            said.append("encryption is required, but sign-in URLs carry no identifier")
        return said

    @property
    def as_published(self) -> bool:
        """Whether there is nothing to mend."""
        return bool(self.found and self.found.difference.nothing and not self.notes)

    @property
    def word(self) -> str:
        """The state in a word or two."""
        if self.refusal or self.found is None:
            return "UNREACHABLE"
        if self.found.provider is None:
            return "ABSENT"
        return "as published" if self.as_published else "DIFFERS"


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
    """What accounts hold against what we publish; all accounts, or those named.

    For each: whether it is reached and has the provider, whether the issuer is ours, which
    certificates it holds, lacks (-) or has too many (+), the encryption mode, and the provider's
    unique identifier. Nothing is changed.

    \b
    Examples:
      idp aws status
      idp aws status prod --json
      idp aws status --exit-code || echo "run: idp aws register --all"
    """
    settings = settings_from(context)
    reach = reach_of(settings, endpoint_url, timeout)
    with open_database(context).reading() as session:
        wanted = named_accounts(stored_accounts(session), accounts, not accounts)
        published = publish_metadata(session, settings, utc_now())
        states = {key.fingerprint: key.state.value for key in all_keys(session)}
    found: list[AccountStatus] = []
    with stop_on_interrupt() as stopped, progress_bar() as show:
        for account, answer in side_by_side(
            wanted,
            lambda account: inspect_account(target_of(account), published.xml, reach),
            workers=workers,
            longest=reach.total + GRACE_SECONDS,
            stopped=stopped,
        ):
            found.append(_status(account, answer))
            show("Accounts", len(found), len(wanted))
    found.sort(key=lambda each: each.account.alias)
    if as_json:
        click.echo(json.dumps([_document(each, states) for each in found], indent=2))
    elif sys.stdout.isatty():
        Console().print(_table(found, states))
    else:
        for each in found:
            click.echo("\t".join(_cells(each, states)))
    tell_advice([(each.account, each.refusal) for each in found if each.refusal])
    if exit_code and not all(each.as_published for each in found):
        context.exit(1)


def _status(account: Account, answer: Inspection | Exception) -> AccountStatus:
    if isinstance(answer, Exception):
        target = target_of(account)
        return AccountStatus(account, None, refusal_of(answer, target.provider, target.access))
    return AccountStatus(account, answer, None)


def _table(found: Sequence[AccountStatus], states: Mapping[str, str]) -> Table:
    held = Column("Certificates", no_wrap=True)
    table = Table("Account", "State", "Issuer", held, Column("Provider", overflow="fold"))
    for each in found:
        alias, number, word, issuer, certificates, encryption, uuid, said = _cells(each, states)
        if each.found and each.found.provider:
            said = "\n".join(filter(None, (uuid, f"encryption {encryption}", said)))
        cells = (f"{alias}\n{number}", word, issuer, certificates.replace(", ", "\n"), said)
        # Text, not markup: what AWS says may have brackets in it.
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _cells(each: AccountStatus, states: Mapping[str, str]) -> list[str]:
    head = [each.account.alias, each.account.number, each.word]
    provider = each.found.provider if each.found else None
    if each.found is None or provider is None:
        return [*head, "", "", "", "", each.refusal.message if each.refusal else ""]
    certificates = [
        f"{' ' if row['held'] and row['published'] else '+' if row['held'] else '-'}"
        f"{short_fingerprint(row['fingerprint'])} {row['key_state']}"
        for row in _certificates(each.found, states)
    ]
    return [
        *head,
        _issuer(each.found),
        ", ".join(certificates).strip(),
        provider.encryption or "none",
        provider.uuid,
        "; ".join(each.notes),
    ]


def _issuer(found: Inspection) -> str:
    difference = found.difference
    if difference.unreadable:
        return "unreadable"
    others = ", ".join(difference.other_issuers)[:200]
    return " and ".join(filter(None, ("ours" if difference.issuer_held else "", others)))


def _certificates(found: Inspection, states: Mapping[str, str]) -> list[dict[str, Any]]:
    difference = found.difference
    return [
        {
            "fingerprint": fingerprint,
            "held": held,
            "published": published,
            "key_state": states.get(fingerprint, "unknown"),
        }
        for fingerprints, held, published in (
            (difference.held, True, True),
            (difference.missing, False, True),
            (difference.extra, True, False),
        )
        for fingerprint in fingerprints
    ]


def _document(each: AccountStatus, states: Mapping[str, str]) -> dict[str, Any]:
    found = each.found
    provider = found.provider if found else None
    return {
        "number": each.account.number,
        "alias": each.account.alias,
        "partition": each.account.partition,
        "provider_arn": str(each.account.provider),
        "state": each.word.lower(),
        "reachable": found is not None,
        "present": provider is not None if found else None,
        "as_published": each.as_published,
        "issuer_same": (
            found.difference.issuer_held and not found.difference.other_issuers
            if found and provider
            else None
        ),
        "other_issuers": list(found.difference.other_issuers) if found else [],
        "certificates": _certificates(found, states) if found else [],
        "encryption_mode": (provider.encryption or None) if provider else None,
        "private_keys": provider.private_keys if provider else None,
        "provider_uuid": (provider.uuid or None) if provider else None,
        "provider_id_in_sign_in_urls": each.account.provider_id,
        "notes": each.notes,
        "problem": problem_document(each.refusal),
    }
