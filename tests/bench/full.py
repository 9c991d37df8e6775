"""(d) full sign-ins with the Argon2 cost in use, beside what Argon2 alone allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from idp.directory.passwords import Passwords
from idp.settings import SignInSettings
from tests.bench.company import PASSWORD
from tests.bench.machine import Others, cores
from tests.bench.place import Warm
from tests.bench.plan import Plan
from tests.bench.rows import Row
from tests.bench.visitor import full_sign_ins

CLIENTS = 8


def argon2_rate(seconds: float, threads: int) -> float:
    """Verifications a second of all threads together; argon2 lets the others run meanwhile."""
    passwords = Passwords(SignInSettings())
    stored = passwords.hash(PASSWORD)
    began = time.perf_counter()

    def verify() -> None:
        while time.perf_counter() - began < seconds:
            passwords.verify(stored, PASSWORD)

    done = passwords.verifications
    running = [threading.Thread(target=verify) for _ in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    return (passwords.verifications - done) / (time.perf_counter() - began)


def measure_argon2(plan: Plan) -> Iterator[Row]:
    """Verifications alone, on one core and on all."""
    settings = SignInSettings()
    cost = f"{settings.argon2_memory_kib} KiB, {settings.argon2_passes} passes"
    for key, threads in (("argon2-1", 1), ("argon2-all", cores())):
        plural = "" if threads == 1 else "s"
        with Others() as others:
            rate = argon2_rate(plan.argon2, threads)
        title = f"Argon2id verify ({cost}), {threads} core{plural}"
        yield Row(key, title, rate, "/s", others=others.cores)


def measure_full(plan: Plan, warm: Warm, database: str) -> Iterator[Row]:
    """The form, the password, the first page: each time in a new browser."""
    usernames = [name for name, _ in warm.place.people(plan.sessions)]
    before = argon2_rate(plan.argon2, cores())
    with Others() as others:
        done = full_sign_ins(warm.served.port, usernames, CLIENTS, plan.sign_ins)
    alone = (before + argon2_rate(plan.argon2, cores())) / 2
    yield Row(
        "sign-in",
        f"full sign-in, {CLIENTS} clients",
        done.per_second,
        "/s",
        database=database,
        ratio=done.per_second / alone,
        ratio_to="Argon2id, all cores",
        p50_ms=done.p50_ms,
        p99_ms=done.p99_ms,
        others=others.cores,
        note=f"the client took {done.client_cores:.0%} of a core",
    )
