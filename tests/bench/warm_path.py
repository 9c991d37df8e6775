"""Where the time of a warm sign-in goes: python -m tests.bench.warm_path.

The application in one process and one thread, without the HTTP server in front of it.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from rich.console import Console
from rich.table import Table
from werkzeug.test import Client, EnvironBuilder

from idp.app import create_app
from idp.telemetry.logs import configure_logging
from tests.bench.company import PASSWORD
from tests.bench.place import Place, make_place
from tests.bench.plan import EMPTY
from tests.bench.samples import Samples
from tests.bench.visitor import TOKEN
from tests.making import memory_key
from tests.servers.postgresql import PostgresServer, find_postgres

Ask = Callable[[], None]


@click.command()
@click.option("--requests", default=3000, show_default=True)
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite")
@click.option("--functions", default=0, help="Show this many of the dearest functions as well.")
def warm_path(requests: int, database: str, functions: int) -> None:
    """Profile warm sign-ins in this process."""
    with tempfile.TemporaryDirectory(prefix="idp-bench-") as name:
        if database == "sqlite":
            _profile(make_place(Path(name), None, "empty", EMPTY), requests, functions)
            return
        programs = find_postgres()
        if programs is None:
            raise click.ClickException("PostgreSQL is not installed; run: sh tests/prepare.sh")
        with PostgresServer(programs, durable=True) as server:
            _profile(make_place(Path(name), server, "empty", EMPTY), requests, functions)


def _profile(place: Place, requests: int, functions: int) -> None:
    settings = place.settings()
    configure_logging(settings.log)
    app = create_app(settings)
    with _quiet():
        ask = _asker(app.wsgi_app, place)
        _times(ask, requests // 10)
        raw = _rsa_seconds()
        with Samples() as samples:
            took = _times(ask, requests)
    took = Times(took.wall / requests, took.cpu / requests)
    app.extensions["idp"].database.close()
    _show(samples, took, raw, functions)


def _asker(application: Any, place: Place) -> Ask:
    """What asks for a role as somebody who has signed in, without the cost of a test client."""
    username, role = place.people(1)[0]
    client = Client(application)
    token = TOKEN.search(client.get("/sign-in", base_url="http://127.0.0.1:8080").text)
    assert token
    form = {"username": username, "password": PASSWORD, "csrf_token": token[1]}
    client.post("/sign-in", data=form, base_url="http://127.0.0.1:8080")
    names = ("idp-session", "idp-browser")
    cookies = [client.get_cookie(name, "127.0.0.1") for name in names]
    header = "; ".join(f"{cookie.key}={cookie.value}" for cookie in cookies if cookie)
    path = f"/aws?role={quote(role, safe=':/')}"
    environ = EnvironBuilder(path, base_url="http://127.0.0.1:8080").get_environ()
    environ["HTTP_COOKIE"] = header

    def ask() -> None:
        told: list[str] = []
        body = application(
            {**environ, "wsgi.input": io.BytesIO()}, lambda s, h, e=None: told.append(s)
        )
        page = b"".join(body)
        if told != ["200 OK"] or b'name="SAMLResponse"' not in page:
            raise click.ClickException(f"the page was not an assertion: {told}")
        if hasattr(body, "close"):
            body.close()

    return ask


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds by the clock, and of CPU time."""

    wall: float
    cpu: float


def _times(ask: Ask, count: int) -> Times:
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        ask()
    return Times(time.perf_counter() - began, time.process_time() - cpu)


def _rsa_seconds(count: int = 1000) -> float:
    """CPU time of a signature."""
    key = memory_key()
    began = time.process_time()
    for _ in range(count):
        key.sign(b"a canonical SignedInfo", "sha256")
    return (time.process_time() - began) / count


@contextmanager
def _quiet() -> Iterator[None]:
    """Send standard error, where the log lines go, to nowhere."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _show(samples: Samples, each: Times, raw: float, functions: int) -> None:
    console = Console(width=110)
    console.print(
        f"A request takes {1e6 * each.cpu:,.0f} µs of CPU time, {each.cpu / raw:.1f} times an RSA "
        f"signature ({1e6 * raw:,.0f} µs), and {1e6 * each.wall:,.0f} µs by the clock "
        f"({samples.taken:,} samples).",
        highlight=False,
    )

    def table(heading: str, counted: Iterable[tuple[str, int]]) -> None:
        shown = Table(heading, "Share, %", "µs", box=None)
        for title, count in counted:
            share = count / samples.taken
            shown.add_row(title, f"{100 * share:.1f}", f"{1e6 * each.wall * share:,.0f}")
        console.print(shown)

    table("Step", samples.steps())
    table("Own time in", samples.owners.most_common(16))
    if functions:
        table("Own time in function", samples.own.most_common(functions))
        table("Function with all it calls", samples.within.most_common(2 * functions))


if __name__ == "__main__":
    warm_path()
