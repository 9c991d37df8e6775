"""(e) memory, and (f) the time from start to the first good answer."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from tests.bench.machine import Others
from tests.bench.place import Place, warm_server
from tests.bench.plan import Plan
from tests.bench.rows import START_SECONDS, TWO_WORKERS_MB, Row, Verdict
from tests.bench.served import Served

WORKERS = 2


def measure_memory(plan: Plan, place: Place, database: str) -> Iterator[Row]:
    """PSS of the server with two workers: after the first requests, and after load."""
    with warm_server(place, plan.sessions, 0, workers=WORKERS) as warm:
        idle, processes = warm.served.memory_mb()
        warm.load(connections=32, seconds=plan.load + plan.warm_up)
        loaded, _ = warm.served.memory_mb()
    for key, title, measured in (("idle", "idle", idle), ("loaded", "after load", loaded)):
        verdict = Verdict("MB", measured, TWO_WORKERS_MB, at_least=False)
        yield Row(
            f"memory-{key}",
            f"memory of {WORKERS} workers, {title}",
            measured,
            "MB",
            database=database,
            verdicts=[verdict],
            note=f"PSS of {processes} processes",
        )


def measure_start(plan: Plan, place: Place, database: str) -> Iterator[Row]:
    """From the command to the first page, several times."""
    took = []
    with Others() as others:
        for _ in range(plan.starts):
            with Served(place.folder, place.database_url) as served:
                took.append(served.start_seconds)
    yield Row(
        "start",
        "start to first good answer",
        median(took),
        "s",
        database=database,
        verdicts=[Verdict("s", median(took), START_SECONDS, at_least=False)],
        others=others.cores,
        note=f"best {min(took):.2f} s of {len(took)}",
        slices=[{"seconds": seconds} for seconds in took],
    )
