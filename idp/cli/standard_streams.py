"""Standard input, output and error that the caller has closed, or that take nothing more."""

from __future__ import annotations

import os
import sys


def open_closed_ones() -> None:
    """Open those on /dev/null, as if nothing came in and nobody listened.

    The next file to be opened, the database maybe, would else get the number of one of them, and
    whatever is printed would go into it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def end_output() -> None:
    """Print what waits to be printed, if anybody still reads it; raises OSError if that fails.

    Python would try only at its very end, and exit with a code of its own, 120.
    """
    try:
        sys.stdout.flush()
    except OSError as problem:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        if not isinstance(problem, BrokenPipeError):
            raise
