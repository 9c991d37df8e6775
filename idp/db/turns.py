"""Whose turn it is to write to SQLite, for writers in several processes of one machine."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
import weakref
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("idp.db")

# Less than SQLite's own busy_timeout (10 s), which begins when this has passed.
PATIENCE = 6.0  # seconds
_TAKEN = (errno.EAGAIN, errno.EACCES)  # fcntl(2): which of them is up to the system


class Turns:
    """A lock on a file beside the database, which the kernel hands from one process to the next.

    SQLite would do without: whoever finds it locked sleeps for 1, 2, 5, 10 ms and more between
    tries, and of two busy processes one may get no turn for seconds. Its own locks stay what
    keeps the database whole; where this one can't be had, or not within `patience` seconds (who
    has it may be stopped), they are enough: the writer goes on without.
    """

    _owner: int
    _depth: int
    _waiter: _Waiter | None

    def __init__(self, database: Path, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._path = database.with_name(database.name + "-turn")
        self._file = -1
        self._unusable: OSError | None = None
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            self._unusable = problem
        self.begin_anew()
        _all.add(self)

    def __enter__(self) -> None:
        """Wait for the turn. The kernel ends it if the process dies."""
        me = threading.get_ident()
        if self._owner == me:
            self._depth += 1
            return
        if not self._threads.acquire(timeout=self._patience):
            self._tell("another thread of this process does not end its turn")
            return
        try:
            self._owner, self._depth = me, 1
            self._lock()
        except BaseException:
            self._end()
            raise

    def __exit__(self, *_: object) -> None:
        """End the turn, if it was had."""
        if self._owner != threading.get_ident():
            return
        self._depth -= 1
        if self._depth == 0:
            self._end()

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0 and not self._is_overdue():  # else the number may not be used again yet
            if self._waiter is not None:
                self._waiter.end()
            os.close(self._file)
        self._waiter = None
        self._file = -1

    def begin_anew(self) -> None:
        """Forget whose turn it is: after a fork that is a thread of the parent."""
        self._threads = threading.Lock()
        self._owner = 0
        self._depth = 0
        self._waiter = None

    def _lock(self) -> None:
        if self._unusable is not None:
            self._tell(str(self._unusable.strerror))
            self._unusable = None  # once is enough
        if self._file < 0 or self._is_overdue():
            return
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            if problem.errno in _TAKEN:
                self._wait()
                return
            self._tell(str(problem.strerror))
            self.close()

    def _wait(self) -> None:
        if self._waiter is None:
            try:
                self._waiter = _Waiter(self._file)
            except RuntimeError:  # no more threads
                return
        if not self._waiter.wait(self._patience):
            self._tell("another process does not end its turn")

    def _is_overdue(self) -> bool:
        """Whether the process that we waited for too long has its turn still."""
        return self._waiter is not None and not self._waiter.over

    def _end(self) -> None:
        self._owner = 0
        try:
            if self._file >= 0 and not self._is_overdue():
                with suppress(OSError):
                    fcntl.lockf(self._file, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def _tell(self, reason: str) -> None:
        fields = {"file": str(self._path), "reason": reason}
        log.warning("writing to the database without taking turns", extra=fields)


class _Waiter:
    """A thread that waits in the kernel, so that whoever sends it can stop waiting.

    To try again and again instead would leave the turn to those who come at the right moment.
    The thread stays for the next time: to start one takes longer than most waits.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._mutex = threading.Lock()
        self._sent = threading.Lock()  # free when the thread is to go
        self._sent.acquire()
        self._back = threading.Lock()  # free when it has come back
        self._wanted = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="idp-turn", daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether nobody waits in the kernel any more."""
        return not self._back.locked()

    def wait(self, seconds: float) -> bool:
        """Whether the lock was had in time; if not, it is let go of when it comes.

        To be called while `over`, and by one thread at a time.
        """
        self._back.acquire()
        self._wanted = True
        self._sent.release()
        came = False
        try:
            came = self._back.acquire(timeout=seconds)
        finally:
            with self._mutex:
                had = self._wanted and not came and self.over
                self._wanted = False
            if came:
                self._back.release()
        return came or had

    def end(self) -> None:
        """Let the thread end; to be called while `over`."""
        self._ended = True
        self._sent.release()

    def _run(self) -> None:
        while True:
            self._sent.acquire()
            if self._ended:
                return
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_EX)
            with self._mutex:
                if not self._wanted:
                    with suppress(OSError):
                        fcntl.lockf(self._file, fcntl.LOCK_UN)
                self._back.release()


_all: weakref.WeakSet[Turns] = weakref.WeakSet()


def _after_fork() -> None:
    for each in _all:
        each.begin_anew()


os.register_at_fork(after_in_child=_after_fork)
