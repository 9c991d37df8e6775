"""What a rule says of the people whom it is for, checked."""

from __future__ import annotations

import re
from functools import partial

from idp.entitlements.circumstance_conditions import parse_network
from idp.entitlements.dn import parse_dn
from idp.entitlements.facts import FACTORS
from idp.entitlements.pattern import GroupPattern
from idp.entitlements.rule import RoleRule
from idp.entitlements.rule_table import Problems

CONDITIONS = (
    *("users", "groups", "group_dns", "group_sids"),
    *("attributes", "group_pattern", "role_attribute"),
)

# Without leading zeros, which no directory writes: such a SID would never be anybody's.
_SID = re.compile(r"S-1-(?:0|[1-9]\d{0,14})(?:-(?:0|[1-9]\d{0,9})){1,15}", re.ASCII)


def check_whom(rule: RoleRule, problems: Problems) -> None:
    """Note what is wrong with the conditions, or that there are none."""
    given = [key for key in CONDITIONS if getattr(rule, key)]
    broken = {key for key, _ in problems.found}
    if not given and not rule.everyone and not broken.intersection((*CONDITIONS, "everyone")):
        problems.add(
            "",
            "It says of nobody that they match.",
            "Give users, groups, attributes or group_pattern; or everyone = true for all people.",
        )
    if given and rule.everyone:
        problems.add("everyone", f"everyone = true makes {given[0]} useless.", "Leave one out.")
    _check_groups(rule, problems)
    for factor in rule.factors:
        if factor not in FACTORS:
            problems.add(
                "factors", f"{factor!r} is not a factor.", f"Known are {', '.join(FACTORS)}."
            )
    for network in rule.networks:
        problems.check("networks", partial(parse_network, network))


def _check_groups(rule: RoleRule, problems: Problems) -> None:
    for key, dns in (("group_dns", rule.group_dns), ("group_base", rule.group_base)):
        for dn in dns:
            problems.check(key, partial(parse_dn, dn))
    for sid in rule.group_sids:
        if not _SID.fullmatch(sid):
            problems.add(
                "group_sids", f"{sid!r} is not a security identifier.", "Write S-1-5-21-...-1104."
            )
    if rule.group_pattern:
        denies = rule.effect == "deny"
        problems.check(
            "group_pattern", partial(GroupPattern.parse, rule.group_pattern, any_case=denies)
        )
        if rule.groups:
            problems.add(
                "groups", "groups can't stand beside group_pattern, which says it.", "Leave it out."
            )
    if rule.group_base and not rule.groups and not rule.group_pattern:
        problems.add(
            "group_base",
            "It says where groups lie, but not which ones.",
            "Give groups or group_pattern too.",
        )
