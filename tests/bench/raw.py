"""(a) RSA alone, and (b) the engine in relation to it."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, median

from tests.bench.baseline import AllCores, cryptography_rate, openssl_rate
from tests.bench.engine import CUSTODIES, ROLES, TAGS, Custody, engine_rate
from tests.bench.machine import Others, cores
from tests.bench.plan import Plan
from tests.bench.rows import ENGINE_OF_ONE_CORE, Row, Verdict


def measure_raw(plan: Plan, rsa: AllCores) -> Iterator[Row]:
    """openssl on one core and on all, and the library that we sign with."""
    with Others() as others:
        one = openssl_rate(plan.rsa)
        library = cryptography_rate(plan.engine)
        every = rsa.now()
    yield Row("rsa-1", "openssl speed rsa2048, one core", one, "/s", others=others.cores)
    yield Row("rsa-all", f"openssl speed rsa2048, {cores()} cores", every, "/s")
    yield Row(
        "rsa-library",
        "cryptography, RSA-2048 and SHA-256, one core",
        library,
        "/s",
        ratio=library / one,
        ratio_to="openssl, one core",
    )


def measure_engine(plan: Plan) -> Iterator[Row]:
    """A row for each custody."""
    for custody in CUSTODIES:
        yield _engine(custody, plan)


def _engine(custody: Custody, plan: Plan) -> Row:
    signer = custody.open()
    engine_rate(signer, plan.engine / 10)
    slices = []
    before = openssl_rate(plan.rsa)
    with Others() as others:
        for _ in range(plan.slices):
            rate = engine_rate(signer, plan.engine)
            after = openssl_rate(plan.rsa)
            raw = fmean((before, after))
            slices.append({"per_second": rate, "rsa": raw, "ratio": rate / raw})
            before = after
    ratio = median(each["ratio"] for each in slices)
    return Row(
        f"engine-{custody.key}",
        f"engine: {ROLES} roles, {TAGS} tags, {custody.title}",
        median(each["per_second"] for each in slices),
        "/s",
        ratio=ratio,
        ratio_to="openssl, one core",
        verdicts=[Verdict("of one core", ratio, ENGINE_OF_ONE_CORE, at_least=True)],
        others=others.cores,
        slices=slices,
    )
