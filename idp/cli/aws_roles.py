"""idp aws roles: the roles that trust us, against the rules."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from idp.aws.account_refusal import AccountRefusal, refusal_of
from idp.aws.endpoints import in_order, sign_in_endpoint
from idp.aws.role_listing import ListedRole, list_roles
from idp.aws.side_by_side import side_by_side
from idp.cli.aws_register import problem_document, tell_advice
from idp.cli.aws_selection import named_accounts, reach_of, reach_options, stop_on_interrupt
from idp.cli.context import open_database, settings_from
from idp.cli.progress import progress_bar
from idp.entitlements.account import Account
from idp.entitlements.plan_words import counted, printable
from idp.entitlements.ruleset import RuleSet
from idp.entitlements.store import stored_accounts, stored_rules
from idp.preflight.role_discovery import AccountRoles, TrustingRole, compare_roles
from idp.preflight.role_trust import Ourselves
from idp.rotation.distribution import GRACE_SECONDS, target_of
from idp.saml.response import NAME_ID_FORMATS
from idp.settings import Settings


@dataclass(frozen=True, slots=True)
class Discovered:
    """One account; exactly one of `found` and `refusal` is set."""

    account: Account
    found: AccountRoles | None
    refusal: AccountRefusal | None

    @property
    def in_order(self) -> bool:
        """Whether there is nothing to mend."""
        return bool(self.found and self.found.in_order)


@click.group("roles")
def aws_roles() -> None:
    """The roles that trust us, against the rules.

    \b
    Example:
      idp aws roles discover
    """


@aws_roles.command()
@click.argument("accounts", nargs=-1, metavar="[ACCOUNT]...")
@reach_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--exit-code", is_flag=True, help="End with 1 if there is anything to mend.")
@click.pass_context
def discover(
    context: click.Context,
    accounts: tuple[str, ...],
    workers: int,
    timeout: float,
    endpoint_url: str | None,
    as_json: bool,
    exit_code: bool,
) -> None:
    """Read which roles trust us; all accounts, or those named. Changes nothing.

    Shows the roles that no rule reaches, the rules that point to no role or to one that does not
    trust us, and sessions longer than a role allows. It needs iam:ListRoles in each account.

    \b
    Examples:
      idp aws roles discover
      idp aws roles discover prod --json
      idp aws roles discover --exit-code || echo "look at the rules"
    """
    settings = settings_from(context)
    reach = reach_of(settings, endpoint_url, timeout)
    with open_database(context).reading() as session:
        registered = stored_accounts(session)
        ruleset = RuleSet(stored_rules(session), registered)
    wanted = named_accounts(registered, accounts, not accounts)
    found: list[Discovered] = []
    with stop_on_interrupt() as stopped, progress_bar() as show:
        for account, answer in side_by_side(
            wanted,
            lambda account: list_roles(target_of(account), reach),
            workers=workers,
            longest=reach.total + GRACE_SECONDS,
            stopped=stopped,
        ):
            found.append(_discovered(account, answer, ruleset, settings))
            show("Accounts", len(found), len(wanted))
    found.sort(key=lambda each: each.account.alias)
    if as_json:
        click.echo(json.dumps([_document(each) for each in found], indent=2))
    else:
        _show(found)
    tell_advice([(each.account, each.refusal) for each in found if each.refusal])
    if exit_code and not all(each.in_order for each in found):
        context.exit(1)


def _discovered(
    account: Account,
    answer: tuple[ListedRole, ...] | Exception,
    ruleset: RuleSet,
    settings: Settings,
) -> Discovered:
    if isinstance(answer, Exception):
        target = target_of(account)
        return Discovered(account, None, refusal_of(answer, target.provider, target.access))
    compared = compare_roles(
        account,
        answer,
        ruleset,
        _ourselves(account, settings),
        always_source_identity=bool(settings.aws.source_identity),
    )
    return Discovered(account, compared, None)


def _ourselves(account: Account, settings: Settings) -> Ourselves:
    aws = settings.aws
    return Ourselves(
        account.provider,
        settings.entity_id,
        NAME_ID_FORMATS[aws.name_id_format],
        tuple(
            sign_in_endpoint(
                account.partition,
                code,
                provider_id=account.provider_id,
                sandbox_url=aws.sandbox_url,
            ).acs
            for code in in_order(aws.endpoints, account.partition)
        ),
    )


def _show(found: Sequence[Discovered]) -> None:
    rows = [row for each in found for row in _rows(each)]
    if sys.stdout.isatty():
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        form = f"{{:<{widths[0]}}}  {{:<{widths[1]}}}  {{:<{widths[2]}}}  {{}}"
    else:
        form = "{}\t{}\t{}\t{}"
    for row in rows:
        line = form.format(*map(printable, row)).rstrip(" ")
        click.secho(line, fg="red" if row[2].isupper() else None)
    told = [each.found for each in found if each.found]
    trusting = [role for each in told for role in each.trusting]
    unreached = sum(role.reach == "unreached" for role in trusting)
    lost = {target.rule for each in told for target in each.lost}
    click.echo(
        f"{counted(len(found), 'account')}: {counted(len(trusting), 'role')} "
        f"{'trusts' if len(trusting) == 1 else 'trust'} us, no rule reaches {unreached} of them; "
        f"{counted(len(lost), 'rule')} {'points' if len(lost) == 1 else 'point'} to no role "
        "that does.",
        err=True,
    )


def _rows(each: Discovered) -> Iterator[tuple[str, str, str, str]]:
    """Alias, role, what is with it, and the details."""
    alias = each.account.alias
    if each.found is None:
        yield alias, "", "FAILED", each.refusal.message if each.refusal else ""
        return
    for role in each.found.trusting:
        name = role.role.path + role.role.name
        reach: str = "UNREACHED" if role.reach == "unreached" else role.reach
        yield alias, name, reach, _details(role)
        for note in role.notes:
            yield alias, name, "MISMATCH", note
    for lost in each.found.lost:
        word = "NO SUCH ROLE" if lost.missing else "NOT TRUSTED"
        yield alias, lost.role.path + lost.role.name, word, f"rule {lost.rule}: {lost.why}"


def _details(role: TrustingRole) -> str:
    if role.rules:
        return f"by {'rule' if len(role.rules) == 1 else 'rules'} {', '.join(role.rules)}"
    if role.possible:
        return f"if a group or attribute names it, by {', '.join(role.possible)}"
    return "no rule gives it"


def _document(each: Discovered) -> dict[str, Any]:
    found = each.found
    return {
        "number": each.account.number,
        "alias": each.account.alias,
        "provider_arn": str(each.account.provider),
        "reachable": found is not None,
        "in_order": each.in_order,
        "roles_seen": found.seen if found else None,
        "roles": [
            {
                "role": str(role.role),
                "trust": role.trust.word,
                "max_session_duration": role.longest,
                "reach": role.reach,
                "rules": list(role.rules),
                "possible_rules": list(role.possible),
                "notes": list(role.notes),
            }
            for role in (found.trusting if found else ())
        ],
        "lost_targets": [
            {
                "rule": lost.rule,
                "role": str(lost.role),
                "missing": lost.missing,
                "reason": lost.why,
            }
            for lost in (found.lost if found else ())
        ],
        "problem": problem_document(each.refusal),
    }
