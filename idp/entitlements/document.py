"""A table of the rules file, read as a rule; everything that is wrong with it, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from idp.aws.limits import SESSION_TAGS, check_tag_key, check_tag_value
from idp.entitlements.duration import BadDuration, parse_duration
from idp.entitlements.pattern import GroupPattern
from idp.entitlements.rule import RoleRule
from idp.entitlements.rule_table import LONGEST_NAME, Problems, RuleTable
from idp.entitlements.template import Template
from idp.errors import IdpError

CONDITIONS = ("users", "groups", "attributes", "group_pattern")


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


def read_rule(document: Mapping[str, Any], problems: Problems) -> RoleRule:
    """Read one rule and note everything wrong with it that can be told without the accounts.

    The rule given back is good only if nothing was noted.
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
        attributes=table.attributes(),
        group_pattern=table.text("group_pattern"),
        roles=table.texts("role", one_is_enough=True),
        accounts=table.texts("accounts"),
        tags=table.tags(),
        transitive=table.texts("transitive"),
    )
    if duration:
        try:
            rule = replace(rule, duration=parse_duration(duration))
        except BadDuration as problem:
            problems.add("duration", problem.message, problem.advice)
    _check_whom(rule, problems)
    _check_what(rule, problems)
    _check_session(rule, document, problems)
    return rule


def _check_whom(rule: RoleRule, problems: Problems) -> None:
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
    if rule.group_pattern:
        problems.check("group_pattern", partial(GroupPattern.parse, rule.group_pattern))
        for key, value in (("groups", rule.groups), ("role", rule.roles)):
            if value:
                problems.add(
                    key, f"{key} can't stand beside group_pattern, which says it.", "Leave it out."
                )


def _check_what(rule: RoleRule, problems: Problems) -> None:
    if any(key == "role" for key, _ in problems.found):
        return
    if not rule.roles and not rule.group_pattern:
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


def _check_session(rule: RoleRule, document: Mapping[str, Any], problems: Problems) -> None:
    if rule.effect == "deny":
        for key in ("duration", "tags", "transitive"):
            if key in document:
                problems.add(key, "A deny rule gives no session.", "Leave it out.")
        return
    if len(rule.tags) > SESSION_TAGS:
        problems.add(
            "tags", f"There are {len(rule.tags)} session tags, and AWS takes {SESSION_TAGS}."
        )
    spelled: dict[str, str] = {}
    for key, value in rule.tags.items():
        problems.check("tags", partial(check_tag_key, key))
        problems.check("tags", partial(_check_tag, key, value))
        if (other := spelled.setdefault(key.lower(), key)) != key:
            problems.add("tags", f"AWS takes the tag keys {other!r} and {key!r} for the same.")
    for key in rule.transitive:
        if key not in rule.tags and not any(name == "tags" for name, _ in problems.found):
            problems.add(
                "transitive",
                f"{key!r} is not one of the rule's tags.",
                f"Add it to tags, or use {_names(rule.tags)}.",
            )


def _check_tag(key: str, value: str) -> None:
    template = Template.parse(value)
    for text in template.fixed_texts():
        check_tag_value(key, text)


def _names(tags: Mapping[str, str]) -> str:
    return " or ".join(repr(key) for key in tags) if tags else "none, as there are no tags"
