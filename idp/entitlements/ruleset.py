"""Rules and accounts, compiled: who might be concerned is found by name, not by looking at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from idp.entitlements.account import Account, Accounts
from idp.entitlements.compiled_rule import CompiledRule
from idp.entitlements.dn import Dn, dn_key, loose_dn_key, parse_dn
from idp.entitlements.facts import Facts
from idp.entitlements.names import loose_key, name_key
from idp.entitlements.rule import RoleRule

_Key = TypeVar("_Key")


class RuleSet:
    """All rules, found by the exact user, group or attribute value that they ask for.

    Rules with a pattern are found by the plain text at its beginning. Only patterns without one
    and rules for everyone are looked at for each person, so the cost of an evaluation does not
    grow with the number of the others.
    """

    def __init__(self, rules: Sequence[RoleRule], accounts: Iterable[Account]) -> None:
        self.accounts = accounts if isinstance(accounts, Accounts) else Accounts(accounts)
        self.rules = tuple(
            CompiledRule(rule, position, self.accounts) for position, rule in enumerate(rules)
        )
        self._by_user: dict[str, list[int]] = {}
        self._by_group: dict[str, list[int]] = {}
        self._by_group_dn: dict[Dn | None, list[int]] = {}
        self._by_group_sid: dict[str | None, list[int]] = {}
        self._by_attribute: dict[tuple[str, str], list[int]] = {}
        self._by_attribute_name: dict[str, list[int]] = {}
        self._by_prefix: dict[str, list[int]] = {}
        self._denied_group: dict[str, list[int]] = {}
        self._denied_group_dn: dict[Dn | None, list[int]] = {}
        self._denied_attribute: dict[tuple[str, str], list[int]] = {}
        self._for_each: list[int] = []
        for compiled in self.rules:
            self._enter(compiled)
        self._prefix_lengths = sorted(
            {len(c.pattern.pattern.prefix) for c in self.rules if c.pattern} - {0}
        )

    def candidates(self, facts: Facts) -> list[CompiledRule]:
        """The rules that may concern this person, in the order of the file."""
        found = set(self._for_each)
        if by_user := self._by_user.get(facts.user_key):
            found.update(by_user)
        for group in facts.group_keys:
            if by_group := self._by_group.get(group):
                found.update(by_group)
        for name, values in facts.person.attributes.items():
            found.update(self._by_attribute_name.get(name, ()))
            for value in values:
                if by_value := self._by_attribute.get((name, value)):
                    found.update(by_value)
        for length in self._prefix_lengths:
            for name in facts.group_names:
                if by_prefix := self._by_prefix.get(name[:length].lower()):
                    found.update(by_prefix)
        found.update(self._denying(facts))
        if self._by_group_dn:
            for each in facts.person.groups:
                if each.dn and (by_dn := self._by_group_dn.get(dn_key(each.dn))):
                    found.update(by_dn)
        if self._by_group_sid:
            for each in facts.person.groups:
                if by_sid := self._by_group_sid.get(each.sid):
                    found.update(by_sid)
        return [self.rules[position] for position in sorted(found)]

    def _denying(self, facts: Facts) -> Iterator[int]:
        """Rules that deny are found by every spelling of what they ask for."""
        if self._denied_group:
            for group in facts.group_names:
                yield from self._denied_group.get(loose_key(group), ())
        if self._denied_group_dn:
            for each in facts.person.groups:
                if each.dn:
                    yield from self._denied_group_dn.get(loose_dn_key(each.dn), ())
        if self._denied_attribute:
            for name, values in facts.person.attributes.items():
                for value in values:
                    yield from self._denied_attribute.get((name, loose_key(value)), ())

    def _enter(self, compiled: CompiledRule) -> None:
        """Enter the rule under the first of its conditions that names something exactly."""
        rule, position = compiled.rule, compiled.position
        if rule.users:
            _enter(self._by_user, map(name_key, rule.users), position)
        elif rule.groups and compiled.denies:
            _enter(self._denied_group, map(loose_key, rule.groups), position)
        elif rule.groups:
            _enter(self._by_group, map(name_key, rule.groups), position)
        elif rule.group_dns and compiled.denies:
            _enter(self._denied_group_dn, map(loose_dn_key, rule.group_dns), position)
        elif rule.group_dns:
            _enter(self._by_group_dn, map(parse_dn, rule.group_dns), position)
        elif rule.group_sids:
            _enter(self._by_group_sid, rule.group_sids, position)
        elif rule.attributes:
            name, values = next(iter(rule.attributes.items()))
            if compiled.denies:
                keys = ((name, loose_key(value)) for value in values)
                _enter(self._denied_attribute, keys, position)
            else:
                _enter(self._by_attribute, ((name, value) for value in values), position)
        elif rule.role_attribute:
            _enter(self._by_attribute_name, (rule.role_attribute,), position)
        elif compiled.pattern and compiled.pattern.pattern.prefix:
            _enter(self._by_prefix, (compiled.pattern.pattern.prefix.lower(),), position)
        else:
            self._for_each.append(position)


def _enter(index: dict[_Key, list[int]], keys: Iterable[_Key], position: int) -> None:
    for key in keys:
        index.setdefault(key, []).append(position)
