"""The people of the demonstration, each with something to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """One of them; `shows` says what signing in as them is good for."""

    username: str
    display_name: str
    groups: tuple[str, ...]
    shows: str
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def password(self) -> str:
        """The same at every start; it opens nothing but the sandbox."""
        return f"demo-password-{self.username}"

    @property
    def email(self) -> str:
        """An address that never reaches anybody (RFC 2606)."""
        return f"{self.username}@corp.example"


PEOPLE = (
    DemoPerson(
        "ann",
        "Ann Archer",
        ("platform", "aws#dev#Auditor"),
        "the portal: roles in five accounts and three partitions",
        {"department": ("Platform",), "cost_center": ("4711",)},
    ),
    DemoPerson(
        "bob",
        "Bob Baker",
        ("developers",),
        "one role: straight through to the console",
        {"department": ("Payments",)},
    ),
    DemoPerson("cleo", "Cleo Castle", (), "no role: whom to ask"),
    DemoPerson(
        "dan",
        "Dan Dover",
        ("platform",),
        "a department that AWS would refuse as a session tag",
        {"department": ("R&D <core>",)},
    ),
)
