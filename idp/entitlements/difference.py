"""What differs between two versions of the rules, rule by rule and field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from idp.entitlements.rule import DOCUMENT_KEYS, RoleRule, to_document


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One key of a rule; None where a version leaves it out."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule that both versions have, and what differs in it."""

    name: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """The way from one version to the other.

    `reordered` tells that rules of both versions follow in another order, which matters where
    several give one role.
    """

    added: tuple[RoleRule, ...]
    changed: tuple[RuleChange, ...]
    removed: tuple[RoleRule, ...]
    unchanged: int
    reordered: bool

    @property
    def empty(self) -> bool:
        """Whether applying would change nothing."""
        return not (self.added or self.changed or self.removed or self.reordered)


def difference(before: Sequence[RoleRule], after: Sequence[RoleRule]) -> Difference:
    """Compare two versions; rules are the same rule if they have the same name."""
    old = {rule.name: rule for rule in before}
    new = {rule.name: rule for rule in after}
    changed = [
        RuleChange(rule.name, _fields(old[rule.name], rule))
        for rule in after
        if rule.name in old and old[rule.name] != rule
    ]
    kept_before = [name for name in old if name in new]
    kept_after = [name for name in new if name in old]
    return Difference(
        added=tuple(rule for rule in after if rule.name not in old),
        changed=tuple(changed),
        removed=tuple(rule for rule in before if rule.name not in new),
        unchanged=len(kept_after) - len(changed),
        reordered=kept_before != kept_after,
    )


def _fields(before: RoleRule, after: RoleRule) -> tuple[FieldChange, ...]:
    old, new = to_document(before), to_document(after)
    return tuple(
        FieldChange(key, old.get(key), new.get(key))
        for key in DOCUMENT_KEYS
        if old.get(key) != new.get(key)
    )
