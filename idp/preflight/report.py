"""What a preflight found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from idp.sandbox.judge import Check

Outcome = Literal["taken", "refused", "open"]

# Broken by any response that waits long enough, whoever made it.
AGEING = frozenset(
    {"five-minutes", "conditions-fresh", "confirmation-fresh", "session-not-on-or-after"}
)


@dataclass(frozen=True, slots=True)
class Section:
    """Rules that belong together, in the order in which they are checked."""

    title: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Every rule with its outcome, and what the response was held against.

    `form` says how the response was given, `issued` is its IssueInstant, `role` the ARN of the
    role to be assumed ("" if none can be read), `trust` whose metadata it was held against ("" if
    nobody's). `unread` says that the assertion is encrypted.
    """

    form: str
    judged_at: datetime
    issued: datetime | None
    endpoint: str
    role: str
    trust: str
    unread: bool
    sections: tuple[Section, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks of all sections."""
        return tuple(check for section in self.sections for check in section.checks)

    @property
    def refusals(self) -> tuple[Check, ...]:
        """The rules that are broken."""
        return tuple(check for check in self.checks if check.passed is False)

    @property
    def first(self) -> Check | None:
        """The broken rule whose words AWS would show: the first that AWS is known to check."""
        confirmed = (check for check in self.refusals if check.rule.confirmed)
        return next(confirmed, next(iter(self.refusals), None))

    @property
    def outcome(self) -> Outcome:
        """Refused if any rule is broken; open if what matters most could not be looked at."""
        if self.unread:
            return "open"
        if self.refusals:
            return "refused"
        return "taken" if self.trust else "open"

    @property
    def only_late(self) -> bool:
        """Whether nothing is wrong with the response but its age."""
        return bool(self.refusals) and all(check.name in AGEING for check in self.refusals)
