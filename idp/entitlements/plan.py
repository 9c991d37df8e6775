"""A plan: a rules file held against the rules in force, before anything is applied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from idp.directory.person import Person
from idp.entitlements.account import Accounts
from idp.entitlements.difference import Difference, difference
from idp.entitlements.impact import ImpactTotals, PersonImpact, SessionNames, impact
from idp.entitlements.rule import RoleRule
from idp.entitlements.rules_file import format_rules
from idp.entitlements.ruleset import RuleSet
from idp.entitlements.template import Template

NAMES_RECORDED = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying `rules` would change. `people` are those concerned, or the first of them."""

    rules: tuple[RoleRule, ...]
    difference: Difference
    people: tuple[PersonImpact, ...]
    totals: ImpactTotals


def make_plan(
    before: Sequence[RoleRule],
    after: Sequence[RoleRule],
    accounts: Accounts,
    people: Iterable[Person],
    role_session_name: Template,
    keep: int | None = None,
) -> Plan:
    """Compare two versions of the rules, and what each gives to every one of `people`.

    All people are counted; of those concerned the first `keep` are kept, all if it is None.
    """
    totals = ImpactTotals()
    kept: list[PersonImpact] = []
    old, new = RuleSet(before, accounts), RuleSet(after, accounts)
    for person in impact(old, new, people, SessionNames(role_session_name)):
        totals.count(person)
        if not person.is_nothing and (keep is None or len(kept) < keep):
            kept.append(person)
    return Plan(tuple(after), difference(before, after), tuple(kept), totals)


def recorded_changes(plan: Plan) -> dict[str, Any]:
    """What the audit trail keeps of an applied plan.

    The digest is of the rules as format_rules writes them, so that a file can be held against it.
    """
    found = plan.difference
    return {
        "added": _first_names(rule.name for rule in found.added),
        "changed": _first_names(change.name for change in found.changed),
        "removed": _first_names(rule.name for rule in found.removed),
        "rules": len(plan.rules),
        "people_gaining": plan.totals.gaining,
        "people_losing": plan.totals.losing,
        "sha256": hashlib.sha256(format_rules(plan.rules).encode()).hexdigest(),
    }


def _first_names(names: Iterable[str]) -> list[str]:
    listed = list(names)
    more = len(listed) - NAMES_RECORDED
    return listed if more <= 0 else [*listed[:NAMES_RECORDED], f"and {more} more"]
