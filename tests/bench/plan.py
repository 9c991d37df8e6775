"""How long a run measures what."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.size import Size

SECTIONS = ("raw", "engine", "http", "sign-in", "ldap", "plan", "memory", "start", "scale")

EMPTY = Size(users=64, rules=10, audit_rows=0)
LARGE = Size(users=100_000, rules=10_000, audit_rows=1_000_000)


@dataclass(frozen=True, slots=True)
class Plan:
    """Times in seconds. A figure is the median of `slices`, between which RSA is measured anew."""

    slices: int = 3
    rsa: int = 1
    engine: float = 1.0
    warm_up: int = 1
    load: int = 3
    sign_ins: float = 6.0
    argon2: float = 1.0
    ldap_seconds: float = 12.0
    ldap_entries: int = 100_000
    ldap_depth: int = 8
    planned_rules: int = 10_000
    planned_people: int = 100_000
    starts: int = 5
    connections: tuple[int, ...] = (1, 8, 32)
    sessions: int = 64
    empty: Size = EMPTY
    large: Size = LARGE


FULL = Plan()
QUICK = Plan(
    slices=1,
    engine=0.2,
    sign_ins=1.0,
    argon2=0.2,
    ldap_seconds=4.0,
    ldap_entries=500,
    planned_rules=100,
    planned_people=1_000,
    load=1,
    starts=1,
    sessions=8,
    large=Size(users=1_000, rules=100, audit_rows=10_000),
)
