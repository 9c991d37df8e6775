"""The group mapping of Okta's AWS Account Federation app, as role rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from idp.entitlements.duration import DEFAULT, parse_session_length
from idp.entitlements.importing.arn_template import read_arn_template
from idp.entitlements.importing.foreign_pattern import without_anchors, without_flag
from idp.entitlements.importing.imported import Imported, NotTakenOver
from idp.entitlements.importing.naming import naming_fields, remark_on_provider
from idp.entitlements.rule import RoleRule
from idp.errors import IdpError

# The names of Okta's API, and the labels of its admin page.
_LABELS = {
    "groupfilter": "groupFilter",
    "rolevaluepattern": "roleValuePattern",
    "sessionduration": "sessionDuration",
    "appfilter": "appFilter",
    "joinallroles": "joinAllRoles",
    "usegroupmapping": "useGroupMapping",
}
_LINE = re.compile(r"\s*\"?(?P<label>[A-Za-z ]{5,40}?)\"?\s*[:=]\s*(?P<value>.*?)\s*")
# As JSON and Terraform write them inside a larger file.
_QUOTED = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*"),?')
_BARE = re.compile(r"(?P<text>true|false|\d+),?", re.ASCII)


class BadOktaSettings(IdpError):
    """Text that is not the settings of Okta's AWS app."""


def import_okta_settings(text: str, directory: str, bases: tuple[str, ...]) -> Imported:
    """Take over the settings for people of `directory`, for groups below `bases`.

    `text` is JSON as the API has it, a Terraform file, or lines "Group Filter: ...". Raises
    BadOktaSettings.
    """
    found = _settings(text)
    imported = Imported("the group mapping of Okta's AWS app")
    if "groupFilter" not in found or "roleValuePattern" not in found:
        raise BadOktaSettings(
            "It has no Group Filter with a Role Value Pattern.",
            "Give the app's settings as JSON (GET /api/v1/apps/ID), or lines like "
            "Group Filter: ^aws\\#...",
        )
    try:
        imported.add(_rule(found, imported, directory, bases))
    except NotTakenOver as problem:
        imported.left.append(f"the group mapping: {problem.message}")
    _remark(found, imported)
    return imported


def _rule(
    found: Mapping[str, str], imported: Imported, directory: str, bases: tuple[str, ...]
) -> RoleRule:
    bare, ignore_case = without_flag(found["groupFilter"])
    expression, begins, ends = without_anchors(bare)
    if not (begins and ends):
        imported.remark(
            f"The filter {found['groupFilter']!r} is not anchored at both ends; here it has to "
            "match the whole name."
        )
    arns = read_arn_template(found["roleValuePattern"])
    fields = naming_fields(expression, arns, imported, rest_is_role=False, ignore_case=ignore_case)
    remark_on_provider(arns, imported)
    return RoleRule(
        "okta",
        directory=directory,
        group_base=bases,
        duration=_duration(found.get("sessionDuration", ""), imported),
        **fields,
    )


def _duration(text: str, imported: Imported) -> int:
    if not text:
        return DEFAULT
    try:
        return parse_session_length(text)
    except IdpError as problem:
        imported.left.append(f"the session duration: {problem.message}")
        return DEFAULT


def _remark(found: Mapping[str, str], imported: Imported) -> None:
    if source := found.get("appFilter"):
        imported.remark(
            f"Okta took groups of {source} only; the rule's directory takes that place."
        )
    if found.get("joinAllRoles", "").lower() == "true":
        imported.remark(
            "Okta joined roles that were assigned in the app itself (Join all roles). Those are "
            "not in this file: write rules for them."
        )
    if found.get("useGroupMapping", "").lower() == "false":
        imported.remark("Group mapping was switched off in Okta; the rule gives roles anyhow.")


def _settings(text: str) -> dict[str, str]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return _from_lines(text)
    return {} if not isinstance(document, dict) else _from_json(document)


def _from_json(document: dict[str, Any]) -> dict[str, str]:
    """The settings wherever they lie: {"settings": {"app": {...}}} in the API's answer."""
    while "groupFilter" not in document:
        inner = document.get("settings", document.get("app"))
        if not isinstance(inner, dict):
            break
        document = inner
    return {
        key: str(value)
        for key, value in document.items()
        if key in _LABELS.values() and isinstance(value, str | int | bool)
    }


def _from_lines(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        key = _LABELS.get(match["label"].replace(" ", "").lower()) if match else None
        if match and key:
            found.setdefault(key, _written(match["value"]))
    return found


def _written(value: str) -> str:
    """A value without the quotes and the comma of a larger file, if it has them."""
    if bare := _BARE.fullmatch(value):
        return bare["text"]
    if quoted := _QUOTED.fullmatch(value):
        try:
            return str(json.loads(quoted["text"]))
        except ValueError:
            return value
    return value
