"""Everybody counted: who is there, in which groups, and what they may become."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from idp.directory.person import Person
from idp.directory.person_json import person_to_json
from idp.entitlements.evaluate import Grants

PROBLEMS_KEPT = 50


@dataclass(slots=True)
class Census:
    """Counts people one by one; what it keeps grows with groups and roles, not with people."""

    people: Counter[str] = field(default_factory=Counter)
    without_groups: int = 0
    without_roles: int = 0
    groups: Counter[str] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0

    def add(self, person: Person, grants: Grants) -> None:
        """Count somebody."""
        self.people[person.directory] += 1
        self.without_groups += not person.groups
        self.without_roles += not grants.grants
        self.groups.update(group.dn or group.name for group in person.groups)
        self.roles.update({str(grant.role) for grant in grants.grants})
        for problem in grants.problems:
            self.problem_count += 1
            if len(self.problems) < PROBLEMS_KEPT:
                self.problems.append(f"{person.username}: {problem.role}: {problem.message}")

    def document(self) -> dict[str, Any]:
        """All of it as JSON types."""
        return {
            "people": dict(self.people),
            "without_groups": self.without_groups,
            "without_roles": self.without_roles,
            "groups": dict(self.groups.most_common()),
            "roles": dict(self.roles.most_common()),
            "problem_count": self.problem_count,
            "problems": self.problems,
        }


def person_line(person: Person, grants: Grants) -> dict[str, Any]:
    """Somebody as a line of the list: what the directory says, and the roles that follow."""
    roles = sorted({str(grant.role) for grant in grants.grants})
    return {**person_to_json(person), "roles": roles}
