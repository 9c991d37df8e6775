"""One run, from the raw signature to the large company, in the order of the table."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from tests.bench import full, process, raw, warm
from tests.bench.baseline import AllCores
from tests.bench.custodies import CUSTODIES
from tests.bench.ldap import measure_ldap
from tests.bench.machine import facts
from tests.bench.place import Place, make_place, warm_server
from tests.bench.plan import Plan
from tests.bench.role_plan import measure_plan
from tests.bench.rows import Report, Row
from tests.servers.postgresql import PostgresServer, find_postgres

Tell = Callable[[str], None]


def run(plan: Plan, sections: Collection[str], databases: Sequence[str], tell: Tell) -> Report:
    """Measure. What is written lies in a temporary folder, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="idp-bench-") as name:
        folder = Path(name)
        report = Report(facts(folder), asdict(plan))
        began = time.perf_counter()
        rsa = AllCores(plan.rsa, once=plan.slices == 1)
        report.rows += _without_database(plan, sections, rsa, tell)
        if "engine" in sections:
            missing = [custody.missing for custody in CUSTODIES if custody.missing]
            report.left_out += [f"{what} is not installed." for what in missing]
        if "ldap" in sections:
            if shutil.which("slapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
                report.rows += measure_ldap(plan, folder, tell)
            else:
                report.left_out.append("OpenLDAP is not installed.")
        if "plan" in sections:
            tell("a plan of role rules")
            report.rows += measure_plan(plan, folder)
        for database in databases:
            with ExitStack() as stack:
                server = None
                if database == "postgresql":
                    programs = find_postgres()
                    if programs is None:
                        report.left_out.append("PostgreSQL is not installed.")
                        continue
                    server = stack.enter_context(PostgresServer(programs, durable=True))
                own = folder / database
                own.mkdir()
                rows = _with_database(plan, sections, rsa, own, server, database, tell)
                report.rows += rows
        report.machine = {**report.machine, "run_seconds": round(time.perf_counter() - began)}
    return report


def _without_database(
    plan: Plan, sections: Collection[str], rsa: AllCores, tell: Tell
) -> Iterator[Row]:
    if "raw" in sections:
        tell("RSA alone")
        yield from raw.measure_raw(plan, rsa)
    if "engine" in sections:
        tell("the engine")
        yield from raw.measure_engine(plan)
    if "sign-in" in sections:
        tell("Argon2 alone")
        yield from full.measure_argon2(plan)


def _with_database(
    plan: Plan,
    sections: Collection[str],
    rsa: AllCores,
    folder: Path,
    server: PostgresServer | None,
    database: str,
    tell: Tell,
) -> Iterator[Row]:
    def make(name: str, large: bool) -> Place:
        size = plan.large if large else plan.empty
        tell(f"{database}: filling a database with {size.users:,} people")
        return make_place(folder, server, name, size)

    if not {"http", "sign-in", "memory", "start", "scale"} & set(sections):
        return
    empty = make("empty", large=False)
    if "start" in sections:
        tell(f"{database}: starting")
        yield from process.measure_start(plan, empty, database)
    if "memory" in sections:
        tell(f"{database}: memory")
        yield from process.measure_memory(plan, empty, database)
    if not {"http", "sign-in", "scale"} & set(sections):
        return
    with warm_server(empty, plan.sessions, plan.warm_up) as of_empty:
        if "http" in sections:
            tell(f"{database}: warm sign-ins")
            yield from warm.measure_warm(plan, rsa, of_empty, database)
        if "sign-in" in sections:
            tell(f"{database}: full sign-ins")
            yield from full.measure_full(plan, of_empty, database)
        if "scale" in sections:
            large = make("large", large=True)
            tell(f"{database}: warm sign-ins in a large company")
            with warm_server(large, plan.sessions, plan.warm_up) as of_large:
                yield from warm.measure_scale(plan, rsa, of_empty, of_large, database)
