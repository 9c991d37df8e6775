"""A plan: a rules file held against the rules in force, before anything is applied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idp.directory.person import Person
from idp.entitlements.account import Accounts
from idp.entitlements.difference import Difference, difference
from idp.entitlements.directory_scope import DirectoryKind
from idp.entitlements.facts import UNKNOWN, Circumstances
from idp.entitlements.impact import ImpactTotals, PersonImpact, impact
from idp.entitlements.rule import RoleRule
from idp.entitlements.rule_advice import advice_on
from idp.entitlements.rules_file import format_rules
from idp.entitlements.ruleset import RuleSet
from idp.entitlements.session_names import NamesInAws

NAMES_RECORDED = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying `rules` would change. `people` are those concerned, or the first of them.

    `advice` are sentences about rules that may give more, or less, than they seem to.
    """

    rules: tuple[RoleRule, ...]
    difference: Difference
    people: tuple[PersonImpact, ...]
    totals: ImpactTotals
    advice: tuple[str, ...] = ()


def make_plan(
    before: Sequence[RoleRule],
    after: Sequence[RoleRule],
    accounts: Accounts,
    people: Iterable[Person],
    names: NamesInAws,
    keep: int | None = None,
    circumstances: Circumstances = UNKNOWN,
    directories: Mapping[str, DirectoryKind] | None = None,
    attributes_read: Mapping[str, frozenset[str]] | None = None,
) -> Plan:
    """Compare two versions of the rules, and what each gives to every one of `people`.

    The people are taken to come as `circumstances` say; `directories` are those configured,
    `attributes_read` as `advice_on` says.

    All people are counted. Kept are the first `keep` for whom something changes, and as many with
    something that AWS would refuse; all if it is None.
    """
    totals = ImpactTotals()
    kept: list[PersonImpact] = []
    changing = wrong = 0
    old, new = RuleSet(before, accounts), RuleSet(after, accounts)
    for person in impact(old, new, people, names, circumstances):
        totals.count(person)
        if keep is None:
            wanted = not person.is_nothing
        else:
            wanted = (person.changes and changing < keep) or (person.is_wrong and wrong < keep)
        if wanted:
            kept.append(person)
            changing += person.changes
            wrong += person.is_wrong
    advice = tuple(advice_on(after, circumstances, directories or {}, attributes_read or {}))
    return Plan(tuple(after), difference(before, after), tuple(kept), totals, advice)


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
