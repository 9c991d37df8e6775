"""A rule with everything worked out that does not depend on the person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from idp.aws.arn import BadArn, ProviderArn, RoleArn, parse_role_value
from idp.entitlements.account import Account, Accounts
from idp.entitlements.conditions import Condition, conditions_of
from idp.entitlements.facts import Facts
from idp.entitlements.group_conditions import InGroupNamedLike
from idp.entitlements.role_names import (
    ROLE_PART,
    SameRole,
    part_from_role,
    role_by_arn,
    role_from_part,
    role_in,
    same_role,
)
from idp.entitlements.rule import RoleRule
from idp.entitlements.rule_table import shortened
from idp.entitlements.template import Template


@dataclass(frozen=True, slots=True)
class Target:
    """A role in a registered account that a rule is about.

    `same` is equal for all spellings of the role, `provider` the one that vouches in the account:
    made once and not at every sign-in.
    """

    role: RoleArn
    account: Account
    same: SameRole
    provider: ProviderArn

    @classmethod
    def of(cls, role: RoleArn, account: Account) -> Target:
        """The target, with what follows from the two."""
        return cls(role, account, same_role(role), account.provider)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """What a rule names and nobody can have; `reason` is a sentence."""

    name: str
    reason: str


class CompiledRule:
    """A rule, ready to be held against people. Raises what conditions_of and templates raise."""

    def __init__(self, rule: RoleRule, position: int, accounts: Accounts) -> None:
        self.rule = rule
        self.position = position
        self.conditions: tuple[Condition, ...] = conditions_of(rule)
        self.templates = {key: Template.parse(value) for key, value in rule.tags.items()}
        self.duration = Template.parse(rule.duration) if isinstance(rule.duration, str) else None
        self.session_name = _template(rule.role_session_name)
        self.source_identity = _template(rule.source_identity)
        self.has_templates = bool(
            self.templates or self.duration or self.session_name or self.source_identity
        )
        self._accounts = accounts
        # None: no allow-list. An allow-list whose accounts are all gone allows nothing.
        self._allowed = (
            frozenset(account.number for name in rule.accounts if (account := accounts.find(name)))
            if rule.accounts
            else None
        )
        self.pattern = next((c for c in self.conditions if isinstance(c, InGroupNamedLike)), None)
        self._depends_on_person = bool(self.pattern or rule.role_attribute)
        resolved = () if self._depends_on_person else tuple(_named_roles(rule, accounts))
        self._targets = tuple(found for found in resolved if isinstance(found, Target))
        self._unreachable = tuple(found for found in resolved if isinstance(found, Unreachable))

    @property
    def denies(self) -> bool:
        """Whether it takes roles away."""
        return self.rule.effect == "deny"

    @property
    def denies_everyone(self) -> bool:
        """Whether it takes its roles from whoever comes, however and from wherever."""
        rule = self.rule
        limited = rule.directory or rule.factors or rule.networks
        return self.denies and rule.everyone and not limited

    @property
    def fixed_targets(self) -> tuple[Target, ...]:
        """The roles it is about whoever the person is: none for a pattern or a role attribute."""
        return self._targets

    def matches(self, facts: Facts) -> bool:
        """Whether the person meets every condition."""
        return all(condition.met(facts) for condition in self.conditions)

    def targets(self, facts: Facts) -> tuple[Target, ...]:
        """The roles it is about, for a person that it matches."""
        if not self._depends_on_person:
            return self._targets
        return tuple(found for found in self._of_person(facts) if isinstance(found, Target))

    def unreachable(self, facts: Facts) -> tuple[Unreachable, ...]:
        """What it names for this person outside the registered or allowed accounts."""
        if not self._depends_on_person:
            return self._unreachable
        return tuple(found for found in self._of_person(facts) if isinstance(found, Unreachable))

    def could_reach(self, role: RoleArn) -> bool:
        """Whether a group or attribute that somebody may have tomorrow would be about this role.

        Always false of a rule whose roles are fixed.
        """
        account = self._accounts.find(role.account)
        if account is None or not self._depends_on_person or not self._allows(account):
            return False
        if self.pattern is None:
            return True
        pattern = self.pattern.pattern
        names = (account.number, account.alias)
        if pattern.names_account and not any(pattern.could_name("account", n) for n in names):
            return False
        wanted = {role.name, role.path + role.name}
        for written in self._written_roles:
            parts = {part_from_role(written, name) for name in wanted} - {None}
            if parts and not pattern.names_role:
                return True
            if any(part is not None and pattern.could_name("role", part) for part in parts):
                return True
        return False

    @cached_property
    def _written_roles(self) -> tuple[str, ...]:
        return self.rule.roles or (ROLE_PART,)

    def _of_person(self, facts: Facts) -> Iterator[Target | Unreachable]:
        if self.pattern:
            for group in self.pattern.names(facts):
                if parts := self.pattern.pattern.match(group):
                    yield from self._of_group(group, *parts)
        if self.rule.role_attribute:
            for value in facts.person.attributes.get(self.rule.role_attribute, ()):
                yield self._of_value(value)

    def _of_group(self, group: str, account_name: str, part: str) -> Iterator[Target | Unreachable]:
        named = self.pattern and self.pattern.pattern.names_account
        for name in (account_name,) if named else self.rule.accounts:
            for written in self._written_roles:
                role = role_from_part(written, part)
                yield self._target(name, role, f"group {group}")

    def _target(self, account_name: str, role: str, what: str) -> Target | Unreachable:
        account = self._accounts.find(account_name)
        if account is None:
            return Unreachable(
                what, f"{what} names the account {account_name!r}, which is not registered"
            )
        if not self._allows(account):
            return self._not_allowed(what, account)
        try:
            return Target.of(role_in(account, role), account)
        except BadArn:
            return Unreachable(what, f"{what} names the role {role!r}, which IAM refuses")

    def _of_value(self, value: str) -> Target | Unreachable:
        what = f"the attribute {self.rule.role_attribute}"
        shown = repr(shortened(value, 200))
        try:
            role, provider = parse_role_value(value)
            role_by_arn(str(role))
        except BadArn as problem:
            return Unreachable(
                value, f"{what} has the value {shown}: {shortened(problem.message, 400)}"
            )
        found = _registered(role, self._accounts)
        if isinstance(found, Unreachable):
            return Unreachable(value, f"{what} has the value {shown}: {found.reason}")
        if not self._allows(found.account):
            return self._not_allowed(f"{what} with the value {shown}", found.account)
        # Who vouches says nothing about a role that is taken away.
        if provider not in (None, found.account.provider) and not self.denies:
            return Unreachable(
                value,
                f"{what} has the value {shown}: the account {found.account.alias} knows us as "
                f"{found.account.provider}",
            )
        return found

    def _allows(self, account: Account) -> bool:
        return self._allowed is None or account.number in self._allowed

    @staticmethod
    def _not_allowed(what: str, account: Account) -> Unreachable:
        return Unreachable(
            what,
            f"{what} names the account {account.alias}, which is not among the rule's accounts",
        )


def _template(text: str) -> Template | None:
    return Template.parse(text) if text else None


def _named_roles(rule: RoleRule, accounts: Accounts) -> Iterator[Target | Unreachable]:
    for name in rule.roles:
        if name.startswith("arn:"):
            yield _registered(role_by_arn(name), accounts)
            continue
        for account_name in rule.accounts:
            account = accounts.find(account_name)
            if account:
                yield Target.of(role_in(account, name), account)
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
    return Target.of(role, account)
