"""Runs `idp WORDS...` again and again, and ends each run with SIGKILL at a boundary.

Every run is a process of its own, forked from this one, which has imported everything already. A
request is a line of JSON, [BOUNDARY, WORDS...]; the answer is the exit code, -9 for a run that came
to a boundary whose name begins so.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from idp.aws.iam import Reach
from idp.cli import certs_rotate
from idp.cli.certs import certs
from idp.cli.main import run
from idp.cli.rotation_surroundings import surroundings
from idp.rotation.surroundings import Surroundings


def die_at(wanted: str) -> None:
    """Let `idp certs rotate` in this process be killed."""

    @contextmanager
    def deadly(context: click.Context, reach: Reach, workers: int) -> Iterator[Surroundings]:
        def die(boundary: str) -> None:
            if boundary.startswith(wanted):
                os.kill(os.getpid(), signal.SIGKILL)

        with surroundings(context, reach, workers) as around:
            yield replace(around, boundary=die)

    vars(certs_rotate)["surroundings"] = deadly


def run_once(boundary: str, words: list[str]) -> int:
    """The exit code of a command that runs in a process of its own."""
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)  # answers alone go to standard output
        sys.argv = ["idp", *words]
        die_at(boundary)
        try:
            run()
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 0)
        finally:
            os._exit(70)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    warm = certs.get_command(click.Context(certs), "rotate")
    assert warm is not None
    for line in sys.stdin:
        boundary, *words = json.loads(line)
        sys.stdout.write(f"{run_once(boundary, words)}\n")
        sys.stdout.flush()
