"""What a rule says of the sessions that it gives, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from idp.aws.limits import (
    SESSION_TAGS,
    check_session_name,
    check_source_identity,
    check_tag_key,
    check_tag_value,
)
from idp.entitlements.duration import parse_session_length
from idp.entitlements.rule import RoleRule
from idp.entitlements.rule_table import Problems
from idp.entitlements.template import Template

OF_SESSIONS = ("duration", "role_session_name", "source_identity", "tags", "transitive")


def check_session(rule: RoleRule, document: Mapping[str, Any], problems: Problems) -> None:
    """Note what AWS would refuse of everyone, and what makes no sense."""
    if rule.effect == "deny":
        for key in OF_SESSIONS:
            if key in document:
                problems.add(key, "A deny rule gives no session.", "Leave it out.")
        return
    if isinstance(rule.duration, str):
        problems.check("duration", partial(_check, rule.duration, parse_session_length))
    for key, text, check in (
        ("role_session_name", rule.role_session_name, check_session_name),
        ("source_identity", rule.source_identity, check_source_identity),
    ):
        if text:
            problems.check(key, partial(_check, text, check))
    _check_tags(rule, problems)


def _check_tags(rule: RoleRule, problems: Problems) -> None:
    if len(rule.tags) > SESSION_TAGS:
        problems.add(
            "tags", f"There are {len(rule.tags)} session tags, and AWS takes {SESSION_TAGS}."
        )
    spelled: dict[str, str] = {}
    for key, value in rule.tags.items():
        problems.check("tags", partial(check_tag_key, key))
        problems.check("tags", partial(_check, value, partial(check_tag_value, key)))
        if (other := spelled.setdefault(key.lower(), key)) != key:
            problems.add("tags", f"AWS takes the tag keys {other!r} and {key!r} for the same.")
    for key in rule.transitive:
        if key not in rule.tags and not any(name == "tags" for name, _ in problems.found):
            problems.add(
                "transitive",
                f"{key!r} is not one of the rule's tags.",
                f"Add it to tags, or use {_names(rule.tags)}.",
            )


def _check(template: str, check: Callable[[str], object]) -> None:
    """Read a template, and check what it gives to everyone."""
    for text in Template.parse(template).fixed_texts():
        check(text)


def _names(tags: Mapping[str, str]) -> str:
    return " or ".join(repr(key) for key in tags) if tags else "none, as there are no tags"
