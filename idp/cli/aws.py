"""idp aws: the AWS accounts that roles lie in, and our metadata in them."""

from __future__ import annotations

import json
import sys
from dataclasses import fields

import click
from sqlalchemy.orm import Session

from idp.audit.admin_events import AccountAdded, AccountChanged, AccountRemoved
from idp.audit.events import AdminEvent
from idp.audit.log import AuditLog
from idp.aws.arn import PARTITIONS, ProviderArn
from idp.cli.acting import acting_admin, command_origin
from idp.cli.context import open_database
from idp.cli.lazy_group import LazyGroup
from idp.db.engine import Database
from idp.entitlements.account import Account, Accounts, account_document, check_account
from idp.entitlements.encryption import stored_encryption
from idp.entitlements.rules_file import accounts_named
from idp.entitlements.store import delete_account, save_account, stored_accounts, stored_rules
from idp.errors import IdpError
from idp.rotation.departure import note_departure
from idp.rotation.report import DELETE_PROVIDER

RULES_SHOWN = 10


class AccountRefused(IdpError):
    """An account can't be registered, changed or removed as asked."""

    status = 409


_COMMANDS = {
    "encryption": "aws_encryption:encryption",
    "preflight": "preflight:preflight",
    "register": "aws_register:register",
    "roles": "aws_roles:aws_roles",
    "status": "aws_status:status",
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def aws() -> None:
    """The AWS accounts that roles lie in, and our metadata in them.

    \b
    Examples:
      idp aws account add 111122223333 --alias dev --profile dev-admin
      idp aws register dev
      idp aws status
    """


@aws.group()
def account() -> None:
    """The list of accounts: a role in any other account is never granted.

    \b
    Examples:
      idp aws account add 111122223333 --alias dev --provider ExampleIdP
      idp aws account remove dev
    """


@account.command()
@click.argument("number")
@click.option("--alias", required=True, help="Short name, for rules and pages.")
@click.option(
    "--partition",
    type=click.Choice(PARTITIONS),
    default="aws",
    show_default=True,
    help="The part of AWS that it belongs to.",
)
@click.option(
    "--provider",
    default="ExampleIdP",
    show_default=True,
    help="Name of the IAM SAML provider that stands for us there.",
)
@click.option("--provider-id", help="Its unique identifier, if sign-in URLs carry one: SAMLSP...")
@click.option("--profile", help="Profile of the AWS command line by which its API is reached.")
@click.option("--access-role", help="Or the ARN of a role there to assume for that.")
@click.option("--probe-role", help="ARN of a role there that proves a new signing key.")
@click.option("--update", is_flag=True, help="Change the account if it is registered already.")
@click.pass_context
def add(
    context: click.Context,
    number: str,
    alias: str,
    partition: str,
    provider: str,
    provider_id: str | None,
    profile: str | None,
    access_role: str | None,
    probe_role: str | None,
    update: bool,
) -> None:
    """Register an account, so that rules can give roles in it.

    Doing it twice with the same values changes nothing.

    \b
    Examples:
      idp aws account add 111122223333 --alias dev
      idp aws account add 222233334444 --alias prod --profile prod-admin --update
    """
    wanted = Account(
        number, alias, partition, provider, provider_id, profile, access_role, probe_role
    )
    check_account(wanted)
    database = open_database(context)
    with database.writing() as session:
        accounts = stored_accounts(session)
        known = accounts.find(number)
        if known == wanted:
            click.echo(f"Account {number} ({alias}) is registered already; nothing to do.")
            return
        _refuse_taken_alias(wanted, accounts)
        if known:
            _refuse_silent_change(known, wanted, update)
            _refuse_while_named(session, accounts, known, wanted)
            _refuse_while_encrypted(session, known, wanted)
        save_account(session, wanted)
        left = known.provider if known and known.provider != wanted.provider else None
        if left:
            note_departure(session, left)
        action = AccountChanged if known else AccountAdded
        on_account_changed(session, database, action, wanted, left)
    click.echo(f"{'Changed' if known else 'Registered'} account {number} ({alias}).")
    if left:
        _tell_left_behind(left)
        click.echo(
            f"Nobody can sign in through {wanted.provider} until it has our metadata: "
            f"idp aws register {alias}",
            err=True,
        )


@account.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_(context: click.Context, as_json: bool) -> None:
    """List the registered accounts by alias: alias, number, provider, how its API is reached.

    \b
    Examples:
      idp aws account list
      idp aws account list --json | jq -r '.[].number'
    """
    with open_database(context).reading() as session:
        accounts = stored_accounts(session)
    if as_json:
        click.echo(json.dumps([account_document(each) for each in accounts], indent=2))
        return
    if not accounts:
        click.echo("No account is registered. Add one: idp aws account add NUMBER --alias NAME")
    form = "{:<24} {:<12} {:<56} {}" if sys.stdout.isatty() else "{}\t{}\t{}\t{}"
    for each in accounts:
        access = f"profile {each.profile}" if each.profile else each.access_role or ""
        click.echo(form.format(each.alias, each.number, str(each.provider), access).rstrip(" "))


@account.command()
@click.argument("number_or_alias")
@click.option("--force", is_flag=True, help="Even if rules name it; they give nothing there then.")
@click.pass_context
def remove(context: click.Context, number_or_alias: str, force: bool) -> None:
    """Take an account off the list: from then on nobody gets a role in it.

    \b
    Example:
      idp aws account remove dev
    """
    database = open_database(context)
    with database.writing() as session:
        accounts = stored_accounts(session)
        known = accounts.find(number_or_alias)
        if known is None:
            raise AccountRefused(
                f"No account {number_or_alias[:128]!r} is registered.",
                "See the registered ones with: idp aws account list",
            )
        if stored_encryption(session, known.number).begun and not force:
            raise AccountRefused(
                f"Assertions for the account {known.number} ({known.alias}) are encrypted.",
                "First: idp aws encryption disable; or --force, which leaves the keys in IAM.",
            )
        naming = _rules_naming(session, accounts, known)
        if naming and not force:
            raise AccountRefused(
                f"Account {known.number} ({known.alias}) is named by {_listed(naming)}.",
                "Change those rules first, or give --force.",
            )
        delete_account(session, known.number)
        note_departure(session, known.provider)
        on_account_changed(session, database, AccountRemoved, known)
    click.echo(f"Removed account {known.number} ({known.alias}).")
    if naming:
        click.echo(f"It is still named by {_listed(naming)}, which give nothing there.", err=True)
    _tell_left_behind(known.provider)


def _tell_left_behind(provider: ProviderArn) -> None:
    """What is forgotten here goes on in AWS: whoever has one of our keys can sign in there."""
    click.echo(
        f"Mind: {provider} goes on trusting the keys that it was given in AWS, and no rotation "
        "takes them out there. "
        f"{DELETE_PROVIDER}{provider}",
        err=True,
    )


def on_account_changed(
    session: Session,
    database: Database,
    kind: type[AdminEvent],
    changed: Account,
    left: ProviderArn | None = None,
) -> None:
    """Record the change in the audit trail, in the transaction that makes it.

    `left` is the provider that the account had until now, if it gets another one.
    """
    changes = account_document(changed) | ({"provider_before": str(left)} if left else {})
    event = kind(actor=acting_admin(), subject=changed.number, changes=changes)
    AuditLog(database).append(session, event, command_origin())


def _refuse_taken_alias(wanted: Account, accounts: Accounts) -> None:
    holder = accounts.find(wanted.alias)
    if holder and holder.number != wanted.number:
        raise AccountRefused(
            f"The alias {wanted.alias!r} belongs to account {holder.number}.", "Choose another."
        )


def _refuse_silent_change(known: Account, wanted: Account, update: bool) -> None:
    if update:
        return
    changes = [
        f"{field.name} {getattr(known, field.name)} → {getattr(wanted, field.name)}"
        for field in fields(Account)
        if field.compare and getattr(known, field.name) != getattr(wanted, field.name)
    ]
    raise AccountRefused(
        f"Account {known.number} is registered with other values: {', '.join(changes)}.",
        "To change them, give --update.",
    )


def _refuse_while_named(
    session: Session, accounts: Accounts, known: Account, wanted: Account
) -> None:
    """Rules hold on to alias and partition; a change under them would move or stop their grants."""
    if (known.alias, known.partition) == (wanted.alias, wanted.partition):
        return
    if naming := _rules_naming(session, accounts, known):
        raise AccountRefused(
            f"Alias and partition of account {known.number} can't change "
            f"while it is named by {_listed(naming)}.",
            "Change those rules first.",
        )


def _refuse_while_encrypted(session: Session, known: Account, wanted: Account) -> None:
    """Its key lies in that very provider, which takes assertions at its own address only."""
    if (known.provider, known.provider_id) == (wanted.provider, wanted.provider_id):
        return
    if stored_encryption(session, known.number).begun:
        raise AccountRefused(
            f"The provider of account {known.number} and its identifier can't change while "
            "assertions are encrypted to its key.",
            f"Give --provider {known.provider_name} --provider-id {known.provider_id}, "
            "or first: idp aws encryption disable",
        )


def _rules_naming(session: Session, accounts: Accounts, known: Account) -> list[str]:
    return [rule.name for rule in stored_rules(session) if known in accounts_named(rule, accounts)]


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:RULES_SHOWN])
    more = f" and {len(names) - RULES_SHOWN} more" if len(names) > RULES_SHOWN else ""
    return f"the {'rule' if len(names) == 1 else 'rules'} {shown}{more}"
