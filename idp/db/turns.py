"""Whose turn it is to write to SQLite, for writers in several processes of one machine."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path


class Turns:
    """A lock on a file beside the database, which the kernel hands from one process to the next.

    SQLite would do without: whoever finds it locked sleeps for 1, 2, 5, 10 ms and more between
    tries, and of two busy processes one may get no turn for seconds. Its own locks stay what
    keeps the database whole; where this one can't be had, they are enough.
    """

    def __init__(self, database: Path) -> None:
        self._threads = threading.RLock()
        self._depth = 0
        self._file = -1
        with suppress(OSError):
            path = database.with_name(database.name + "-turn")
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        """Wait for the turn. The kernel ends it if the process dies."""
        self._threads.acquire()
        self._depth += 1
        if self._depth == 1:
            self._lock(fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        """End the turn."""
        self._depth -= 1
        if self._depth == 0:
            self._lock(fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _lock(self, how: int) -> None:
        if self._file >= 0:
            with suppress(OSError):
                fcntl.lockf(self._file, how)
