"""A table of the rules file, read as a rule; everything that is wrong with it, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from idp.entitlements.directory_scope import DirectoryKind, held_to_a_directory
from idp.entitlements.duration import BadDuration, parse_duration
from idp.entitlements.pattern import GroupPattern
from idp.entitlements.role_names import ROLE_PART
from idp.entitlements.rule import RoleRule
from idp.entitlements.rule_table import LONGEST_NAME, Problems, RuleTable
from idp.entitlements.session_document import check_session
from idp.entitlements.whom_document import check_whom
from idp.errors import IdpError


class BadRule(IdpError):
    """A stored rule can't be read, so nothing can be granted."""

    status = 503


def rule_from_stored(document: Mapping[str, Any]) -> RoleRule:
    """Read a rule that was stored by apply. Raises BadRule, because a deny must not get lost."""
    problems = Problems()
    rule = read_rule(document, problems)
    if problems.found:
        key, sentence = problems.found[0]
        raise BadRule(
            f"The stored role rule {document.get('name')!r} can't be read: {key}: {sentence}",
            "It may come from another version of this program. Apply the rules file again.",
        )
    return rule


def read_rule(
    document: Mapping[str, Any],
    problems: Problems,
    directories: Mapping[str, DirectoryKind] | None = None,
) -> RoleRule:
    """Read one rule and note everything wrong with it that can be told without the accounts.

    `directories` are those configured; None if they are not to be looked at. The rule given back
    is good only if nothing was noted.
    """
    table = RuleTable(document, problems)
    table.unknown_keys()
    duration = table.text("duration")
    rule = RoleRule(
        name=table.text("name", LONGEST_NAME),
        description=table.text("description"),
        effect=table.effect(),
        everyone=table.flag("everyone"),
        directory=table.text("directory", LONGEST_NAME),
        users=table.texts("users"),
        groups=table.texts("groups"),
        group_dns=table.texts("group_dns"),
        group_sids=table.texts("group_sids"),
        attributes=table.attributes(),
        group_pattern=table.text("group_pattern"),
        group_base=table.texts("group_base", one_is_enough=True),
        role_attribute=table.text("role_attribute", LONGEST_NAME).lower(),
        factors=table.texts("factors"),
        networks=table.texts("networks"),
        role_session_name=table.text("role_session_name"),
        source_identity=table.text("source_identity"),
        roles=table.texts("role", one_is_enough=True),
        accounts=table.texts("accounts"),
        tags=table.tags(),
        transitive=table.texts("transitive"),
    )
    if "{" in duration:
        rule = replace(rule, duration=duration)
    elif duration:
        try:
            rule = replace(rule, duration=parse_duration(duration))
        except BadDuration as problem:
            problems.add("duration", problem.message, problem.advice)
    check_whom(rule, problems)
    _check_what(rule, problems)
    check_session(rule, document, problems)
    return held_to_a_directory(rule, directories, problems)


def _check_what(rule: RoleRule, problems: Problems) -> None:
    if any(key == "role" for key, _ in problems.found):
        return
    if rule.role_attribute:
        for key, value in (("role", rule.roles), ("group_pattern", rule.group_pattern)):
            if value:
                problems.add(
                    key, f"{key} can't stand beside role_attribute, which says it.", "Leave it out."
                )
        return
    if rule.group_pattern:
        _check_beside_pattern(rule, problems)
        return
    if not rule.roles:
        problems.add("role", "It names no role.", 'Write role = "Developer", or a role\'s ARN.')
    by_name = [role for role in rule.roles if not role.startswith("arn:")]
    if by_name and not rule.accounts and not any(key == "accounts" for key, _ in problems.found):
        problems.add(
            "accounts",
            f"The role {by_name[0]!r} is not an ARN, so its accounts are missing.",
            'Write accounts = ["..."] with aliases or numbers.',
        )
    if rule.roles and not by_name and rule.accounts:
        problems.add("accounts", "The role's ARN says the account already.", "Leave accounts out.")


def _check_beside_pattern(rule: RoleRule, problems: Problems) -> None:
    """What the pattern does not name, `role` and `accounts` have to say."""
    if any(key == "group_pattern" for key, _ in problems.found):
        return
    pattern = GroupPattern.parse(rule.group_pattern)
    if not pattern.names_account and not rule.accounts:
        problems.add(
            "accounts",
            "The pattern has no part (?P<account>...), so the accounts are missing.",
            'Write accounts = ["..."], or name the account in the pattern.',
        )
    if not pattern.names_role and not rule.roles:
        problems.add(
            "role",
            "The pattern has no part (?P<role>...), so the role is missing.",
            'Write role = "Developer", or name the role in the pattern.',
        )
    for role in rule.roles:
        if role.startswith("arn:"):
            problems.add("role", "An ARN can't stand beside group_pattern.", "Write a role's name.")
        elif pattern.names_role and role.count(ROLE_PART) != 1:
            problems.add(
                "role",
                f"The pattern names the role, and {role!r} does not say where that part goes.",
                f'Write it like "ADFS-{ROLE_PART}", or leave it out.',
            )
        elif not pattern.names_role and ROLE_PART in role:
            problems.add(
                "role",
                f"{role!r} asks for the part role, which the pattern does not have.",
                "Name it in the pattern: (?P<role>...).",
            )
