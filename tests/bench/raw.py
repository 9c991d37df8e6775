"""(a) RSA alone, and (b) the engine in relation to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import fmean, median

from idp.saml.signature import Signer
from tests.bench.baseline import AllCores, cryptography_rate, openssl_rate
from tests.bench.custodies import CUSTODIES
from tests.bench.engine import ROLES, TAGS, engine_rate, signing_rate
from tests.bench.machine import Others, cores
from tests.bench.plan import Plan
from tests.bench.rows import Row, Verdict


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
    """Two rows for each custody: signatures alone, and whole responses."""
    for custody in CUSTODIES:
        if custody.missing:
            continue
        with custody.open() as signer:
            yield _measured(
                f"sign-{custody.key}", f"signatures, {custody.title}", plan, signing_rate, signer
            )
            title = f"engine: {ROLES} roles, {TAGS} tags, {custody.title}"
            key = f"engine-{custody.key}"
            yield _measured(key, title, plan, engine_rate, signer, custody.target)


def _measured(
    key: str,
    title: str,
    plan: Plan,
    measure: Callable[[Signer, float], float],
    signer: Signer,
    target: float | None = None,
) -> Row:
    measure(signer, plan.engine / 10)
    slices = []
    before = openssl_rate(plan.rsa)
    with Others() as others:
        for _ in range(plan.slices):
            rate = measure(signer, plan.engine)
            after = openssl_rate(plan.rsa)
            raw = fmean((before, after))
            slices.append({"per_second": rate, "rsa": raw, "ratio": rate / raw})
            before = after
    ratio = median(each["ratio"] for each in slices)
    return Row(
        key,
        title,
        median(each["per_second"] for each in slices),
        "/s",
        ratio=ratio,
        ratio_to="openssl, one core",
        verdicts=[Verdict("of one core", ratio, target, at_least=True)] if target else [],
        others=others.cores,
        slices=slices,
    )
