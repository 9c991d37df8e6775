"""Run `idp WORDS...` and end it with SIGKILL at the first boundary whose name begins with BOUNDARY.

python -m tests.rotation.dying BOUNDARY WORDS...
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from idp.aws.iam import Reach
from idp.cli import certs_rotate
from idp.cli.main import run
from idp.cli.rotation_surroundings import surroundings
from idp.rotation.surroundings import Surroundings

BOUNDARY = sys.argv.pop(1)


@contextmanager
def _deadly(context: click.Context, reach: Reach, workers: int) -> Iterator[Surroundings]:
    def die(boundary: str) -> None:
        if boundary.startswith(BOUNDARY):
            os.kill(os.getpid(), signal.SIGKILL)

    with surroundings(context, reach, workers) as around:
        yield replace(around, boundary=die)


if __name__ == "__main__":
    vars(certs_rotate)["surroundings"] = _deadly
    run()
