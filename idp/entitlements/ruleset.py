"""Rules and accounts, compiled: who might be concerned is found by name, not by looking at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from idp.aws.arn import BadArn, RoleArn
from idp.entitlements.account import Account, Accounts
from idp.entitlements.conditions import Condition, Facts, InGroupNamedLike, conditions_of
from idp.entitlements.names import name_key
from idp.entitlements.rule import RoleRule
from idp.entitlements.template import Template

SINGLE_SIGN_ON_ROLES = "AWSReservedSSO_"


@dataclass(frozen=True, slots=True)
class Target:
    """A role in a registered account that a rule is about."""

    role: RoleArn
    account: Account


@dataclass(frozen=True, slots=True)
class Unreachable:
    """What a rule names and nobody can have; `reason` is a sentence."""

    name: str
    reason: str


class CompiledRule:
    """A rule with everything that does not depend on the person worked out."""

    def __init__(self, rule: RoleRule, position: int, accounts: Accounts) -> None:
        self.rule = rule
        self.position = position
        self.conditions: tuple[Condition, ...] = conditions_of(rule)
        self.templates = {key: Template.parse(value) for key, value in rule.tags.items()}
        self._accounts = accounts
        # None: no allow-list. An allow-list whose accounts are all gone allows nothing.
        self._allowed = (
            frozenset(account.number for name in rule.accounts if (account := accounts.find(name)))
            if rule.accounts
            else None
        )
        self._patterns = tuple(
            condition.pattern
            for condition in self.conditions
            if isinstance(condition, InGroupNamedLike)
        )
        resolved = () if self._patterns else tuple(_named_roles(rule, accounts))
        self._targets = tuple(found for found in resolved if isinstance(found, Target))
        self._unreachable = tuple(found for found in resolved if isinstance(found, Unreachable))

    @property
    def denies(self) -> bool:
        """Whether it takes roles away."""
        return self.rule.effect == "deny"

    def matches(self, facts: Facts) -> bool:
        """Whether the person meets every condition."""
        return all(condition.met(facts) for condition in self.conditions)

    def targets(self, facts: Facts) -> tuple[Target, ...]:
        """The roles it is about, for a person that it matches."""
        if not self._patterns:
            return self._targets
        return tuple(found for found in self._from_groups(facts) if isinstance(found, Target))

    def unreachable(self, facts: Facts) -> tuple[Unreachable, ...]:
        """What it names for this person outside the registered or allowed accounts."""
        if not self._patterns:
            return self._unreachable
        return tuple(found for found in self._from_groups(facts) if isinstance(found, Unreachable))

    def _from_groups(self, facts: Facts) -> Iterator[Target | Unreachable]:
        for pattern in self._patterns:
            for group in facts.group_names:
                if parts := pattern.match(group):
                    yield self._target_of_group(group, *parts)

    def _target_of_group(self, group: str, account_name: str, role: str) -> Target | Unreachable:
        account = self._accounts.find(account_name)
        if account is None:
            return Unreachable(
                group, f"group {group} names the account {account_name!r}, which is not registered"
            )
        if self._allowed is not None and account.number not in self._allowed:
            return Unreachable(
                group,
                f"group {group} names the account {account.alias}, "
                "which is not among the rule's accounts",
            )
        try:
            return Target(role_in(account, role), account)
        except BadArn:
            return Unreachable(group, f"group {group} names the role {role!r}, which IAM refuses")


def role_in(account: Account, role: str) -> RoleArn:
    """The role `role` (a name or path/name) in the account. Raises BadArn."""
    try:
        if role.startswith("/"):
            raise BadArn(role)
        arn = RoleArn.parse(f"arn:{account.partition}:iam::{account.number}:role/{role}")
    except BadArn:
        raise BadArn(
            f"{role!r} can't be the name of an IAM role.",
            "Write Developer or team/Developer: a name of up to 64 of A-Z a-z 0-9 _ + = , . @ -.",
        ) from None
    return _assumable(arn)


def role_by_arn(text: str) -> RoleArn:
    """The role of that ARN. Raises BadArn."""
    return _assumable(RoleArn.parse(text))


def _assumable(arn: RoleArn) -> RoleArn:
    """Refuse the roles of IAM Identity Center: they can't be assumed with SAML (STS API)."""
    if arn.name.startswith(SINGLE_SIGN_ON_ROLES):
        raise BadArn(
            f"{arn.name!r} belongs to IAM Identity Center and can't be assumed with SAML.",
            "Name a role of your own.",
        )
    return arn


def _named_roles(rule: RoleRule, accounts: Accounts) -> Iterator[Target | Unreachable]:
    for name in rule.roles:
        if name.startswith("arn:"):
            yield _registered(role_by_arn(name), accounts)
            continue
        for account_name in rule.accounts:
            account = accounts.find(account_name)
            if account:
                yield Target(role_in(account, name), account)
            else:
                yield Unreachable(account_name, f"account {account_name} is not registered")


def _registered(role: RoleArn, accounts: Accounts) -> Target | Unreachable:
    account = accounts.find(role.account)
    if account is None:
        return Unreachable(str(role), f"account {role.account} is not registered")
    if account.partition != role.partition:
        return Unreachable(
            str(role), f"account {role.account} is registered in the partition {account.partition}"
        )
    return Target(role, account)


class RuleSet:
    """All rules, found by the exact user, group or attribute value that they ask for.

    Only rules with a pattern and rules for everyone are looked at for each person, so the cost of
    an evaluation does not grow with the number of the others.
    """

    def __init__(self, rules: Sequence[RoleRule], accounts: Iterable[Account]) -> None:
        self.accounts = accounts if isinstance(accounts, Accounts) else Accounts(accounts)
        self.rules = tuple(
            CompiledRule(rule, position, self.accounts) for position, rule in enumerate(rules)
        )
        self._by_user: dict[str, list[int]] = {}
        self._by_group: dict[str, list[int]] = {}
        self._by_attribute: dict[tuple[str, str], list[int]] = {}
        self._for_each: list[int] = []
        for compiled in self.rules:
            self._enter(compiled)

    def candidates(self, facts: Facts) -> list[CompiledRule]:
        """The rules that may concern this person, in the order of the file."""
        found = set(self._for_each)
        found.update(self._by_user.get(facts.user_key, ()))
        for group in facts.group_keys:
            found.update(self._by_group.get(group, ()))
        for name, values in facts.person.attributes.items():
            for value in values:
                found.update(self._by_attribute.get((name, value), ()))
        return [self.rules[position] for position in sorted(found)]

    def _enter(self, compiled: CompiledRule) -> None:
        rule, position = compiled.rule, compiled.position
        if rule.users:
            for user in rule.users:
                self._by_user.setdefault(name_key(user), []).append(position)
        elif rule.groups:
            for group in rule.groups:
                self._by_group.setdefault(name_key(group), []).append(position)
        elif rule.attributes:
            name, values = next(iter(rule.attributes.items()))
            for value in values:
                self._by_attribute.setdefault((name, value), []).append(position)
        else:
            self._for_each.append(position)
