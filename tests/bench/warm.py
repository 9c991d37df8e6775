"""(c) warm sign-ins over HTTP, and (g) the same in a large company."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from tests.bench.baseline import AllCores
from tests.bench.machine import Others
from tests.bench.place import Warm
from tests.bench.plan import Plan
from tests.bench.rows import LARGE_OF_EMPTY, WARM_OF_ALL_CORES, WARM_P99_MS, Row, Verdict

_OF_ALL = "openssl, all cores"

Slice = Mapping[str, float]


def measure_warm(plan: Plan, rsa: AllCores, warm: Warm, database: str) -> Iterator[Row]:
    """A row for each number of connections; their slices alternate."""
    slices: dict[int, list[Slice]] = {connections: [] for connections in plan.connections}
    before = rsa.now()
    for _ in range(plan.slices):
        for connections, measured in slices.items():
            measured.append(_slice(plan, rsa, warm, connections, before))
            before = rsa.measured[-1]
    for connections, measured in slices.items():
        plural = "" if connections == 1 else "s"
        title = f"warm sign-in, {connections} connection{plural}"
        verdicts = [_enough(measured)]
        if connections == 8:
            p99 = _median(measured, "p99_ms")
            verdicts.append(Verdict("p99, ms", p99, WARM_P99_MS, at_least=False))
        yield _row(f"warm-{connections}", title, measured, database, verdicts)


def measure_scale(
    plan: Plan, rsa: AllCores, empty: Warm, large: Warm, database: str
) -> Iterator[Row]:
    """The empty and the large company in turns, at 8 connections."""
    of_empty: list[Slice] = []
    of_large: list[Slice] = []
    before = rsa.now()
    for _ in range(plan.slices):
        for warm, measured in ((empty, of_empty), (large, of_large)):
            measured.append(_slice(plan, rsa, warm, 8, before))
            before = rsa.measured[-1]
    yield _row("scale-empty", f"8 connections, {_words(empty)}", of_empty, database, ())
    # Their slices alternate, so they can be compared without going by RSA.
    grown = _median(of_large, "per_second") / _median(of_empty, "per_second")
    verdicts = [
        _enough(of_large),
        Verdict("of the smaller one", grown, LARGE_OF_EMPTY, at_least=True),
    ]
    yield _row("scale-large", f"8 connections, {_words(large)}", of_large, database, verdicts)


def _slice(plan: Plan, rsa: AllCores, warm: Warm, connections: int, before: float) -> Slice:
    with Others() as others:
        done = warm.load(connections, plan.load)
    raw = rsa.between(before)
    return {
        "per_second": done.per_second,
        "rsa": raw,
        "ratio": done.per_second / raw,
        "p50_ms": done.p50_ms,
        "p99_ms": done.p99_ms,
        "wrk_cores": done.wrk_cores,
        "others": others.cores,
        "ours": others.ours,
    }


def _row(
    key: str, title: str, measured: Sequence[Slice], database: str, verdicts: Sequence[Verdict]
) -> Row:
    return Row(
        key,
        title,
        _median(measured, "per_second"),
        "/s",
        database=database,
        ratio=_median(measured, "ratio"),
        ratio_to=_OF_ALL,
        p50_ms=_median(measured, "p50_ms"),
        p99_ms=_median(measured, "p99_ms"),
        verdicts=verdicts,
        others=_median(measured, "others"),
        note=f"we kept {_median(measured, 'ours'):.1f} cores busy, "
        f"wrk {_median(measured, 'wrk_cores'):.2f} of them",
        slices=measured,
    )


def _median(measured: Sequence[Slice], name: str) -> float:
    return median(each[name] for each in measured)


def _enough(measured: Sequence[Slice]) -> Verdict:
    return Verdict("of all cores", _median(measured, "ratio"), WARM_OF_ALL_CORES, at_least=True)


def _words(warm: Warm) -> str:
    size = warm.place.size
    return f"{size.users:,} users, {size.rules:,} rules, {size.audit_rows:,} audit rows"
