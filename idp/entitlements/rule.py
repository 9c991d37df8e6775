"""A role rule: who it is for, which roles it gives or denies, and how the sessions look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from idp.entitlements.duration import DEFAULT, format_duration

Effect = Literal["allow", "deny"]


@dataclass(frozen=True, slots=True)
class RoleRule:
    """One rule, as the rules file says it.

    A person has to meet every condition that is given (`directory`, `users`, `groups`,
    `group_dns`, `group_sids`, `group_pattern`, `attributes`, `role_attribute`, `factors`,
    `networks`); several values of one condition are alternatives. `group_base` holds `groups` and
    `group_pattern` to groups below these DNs. `roles` are role names, path/name, or ARNs; beside a
    pattern with a part named role they say where that part goes, as "ADFS-{role}". `accounts` are
    numbers or aliases. `duration` is in seconds, or a template. Where several rules give one role,
    the first of the file decides how the session looks; a rule with the effect "deny" takes the
    role from everyone it matches.
    """

    name: str
    description: str = ""
    effect: Effect = "allow"
    everyone: bool = False
    directory: str = ""
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    group_dns: tuple[str, ...] = ()
    group_sids: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group_pattern: str = ""
    group_base: tuple[str, ...] = ()
    role_attribute: str = ""
    factors: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    duration: int | str = DEFAULT
    role_session_name: str = ""
    source_identity: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()


# In the order in which a file shows them; `role` in the file is `roles` here.
DOCUMENT_KEYS = tuple("role" if f.name == "roles" else f.name for f in fields(RoleRule))


def to_document(rule: RoleRule) -> dict[str, Any]:
    """The rule as a table of the rules file, without what is at its default."""
    document: dict[str, Any] = {"name": rule.name}
    for key in DOCUMENT_KEYS[1:]:
        value = getattr(rule, "roles" if key == "role" else key)
        if key == "effect" and value == "allow":
            continue
        if key == "duration":
            if value != DEFAULT:
                document[key] = value if isinstance(value, str) else format_duration(value)
        elif key in ("role", "group_base") and len(value) == 1:
            document[key] = value[0]
        elif isinstance(value, tuple) and value:
            document[key] = list(value)
        elif isinstance(value, Mapping) and value:
            document[key] = {
                name: list(held) if isinstance(held, tuple) else held
                for name, held in value.items()
            }
        elif value and not isinstance(value, tuple | Mapping):
            document[key] = value
    return document
