"""A person as a directory describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Group:
    """A group that a person belongs to; directories that have them give a DN and a SID."""

    name: str
    dn: str | None = None
    sid: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """What one directory says of one person.

    `directory` is the directory's configured name ("local" for our own database) and
    `directory_id` the identifier that never changes there, whatever the person is renamed to.
    `attributes` maps lower-case names to all values of that attribute.
    """

    directory: str
    directory_id: str
    username: str
    display_name: str
    email: str | None = None
    groups: tuple[Group, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
