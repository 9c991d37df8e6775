"""What is measured: one row for each case, with what was to be reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

# To be reached; ratios are to the RSA-2048 signatures that `openssl speed` makes in the same run.
ENGINE_OF_ONE_CORE = 0.60
WARM_OF_ALL_CORES = 0.20
WARM_P99_MS = 40.0  # at 8 connections
TWO_WORKERS_MB = 250.0
START_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 3.0  # the 2 s that a silent server may cost, and a sign-in
PLAN_SECONDS = 60.0
LARGE_OF_EMPTY = 0.90  # the same, but for what two runs of one thing differ by


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, and whether `measured` reaches it."""

    what: str
    measured: float
    target: float
    at_least: bool

    @property
    def met(self) -> bool:
        if self.at_least:
            return self.measured >= self.target
        return self.measured <= self.target


@dataclass(frozen=True, slots=True)
class Row:
    """One measured case. `ratio` is `value` in relation to what `ratio_to` names.

    `others` is how many cores' worth of time programs that are not ours took meanwhile; `slices`
    are the single measurements that `value` is the median of.
    """

    key: str
    title: str
    value: float
    unit: str
    database: str = ""
    ratio: float | None = None
    ratio_to: str = ""
    p50_ms: float | None = None
    p99_ms: float | None = None
    verdicts: Sequence[Verdict] = ()
    others: float | None = None
    note: str = ""
    slices: Sequence[Mapping[str, float]] = ()

    def as_json(self) -> dict[str, Any]:
        document = asdict(self)
        document["verdicts"] = [
            {**asdict(verdict), "met": verdict.met} for verdict in self.verdicts
        ]
        return document


@dataclass(slots=True)
class Report:
    """All rows of a run, and the machine they were measured on."""

    machine: Mapping[str, Any]
    plan: Mapping[str, Any]
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": dict(self.machine),
            "plan": dict(self.plan),
            "rows": [row.as_json() for row in self.rows],
            "left_out": self.left_out,
        }
