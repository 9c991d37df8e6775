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
    `attributes`, `group_pattern`); several values of one condition are alternatives. `roles` are
    role names, path/name, or ARNs; `accounts` are numbers or aliases. `duration` is in seconds.
    Where several rules give one role, the first of the file decides on duration and tags;
    a rule with the effect "deny" takes the role from everyone it matches.
    """

    name: str
    description: str = ""
    effect: Effect = "allow"
    everyone: bool = False
    directory: str = ""
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group_pattern: str = ""
    roles: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    duration: int = DEFAULT
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
                document[key] = format_duration(value)
        elif key == "role" and len(value) == 1:
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
