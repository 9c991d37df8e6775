"""How big a company is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is; where there are audit rows, everybody has signed in before."""

    users: int
    rules: int
    audit_rows: int

    @property
    def accounts(self) -> int:
        return max(5, self.rules // 50)


def username(number: int) -> str:
    """The user name of person `number`."""
    return f"person{number:06}"
