"""Group commit: what several threads want to write goes into the database in one transaction.

There is no writer thread. Whoever comes while nobody writes becomes the leader and writes for all
who wait; at the end it hands the lead to the first of those who came in the meantime.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from idp.errors import IdpError

Item = TypeVar("Item")


class WriteInterrupted(IdpError):
    """The thread that wrote for this one was stopped; whether the write was kept is not known."""

    status = 503


class _Waiting(Generic[Item]):
    """One caller's item; `wake` is set when it is done or its caller should lead."""

    __slots__ = ("done", "error", "item", "wake")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.wake = threading.Event()
        self.done = False
        self.error: BaseException | None = None


class GroupCommit(Generic[Item]):
    """Gathers items of many threads into batches for `write`, one batch at a time.

    `write` makes a batch durable as a whole or raises. `alone` says of its error whether each item
    should be tried again by itself, so that a bad one fails only its own caller.
    """

    def __init__(
        self, write: Callable[[Sequence[Item]], None], alone: Callable[[Exception], bool]
    ) -> None:
        self._write = write
        self._alone = alone
        self._led = False
        self.begin_anew()
        _all.add(self)

    @property
    def waiting(self) -> int:
        """How many items wait for the next batch."""
        return len(self._queue)

    def submit(self, item: Item) -> None:
        """Return once `item` is durable; raises what `write` raised for it."""
        mine = _Waiting(item)
        with self._lock:
            self._queue.append(mine)
            lead = not self._led
            self._led = True
        if not lead:
            self._wait(mine)
            lead = not mine.done
        if lead:
            self._lead()
        if mine.error is not None:
            raise mine.error

    def _wait(self, mine: _Waiting[Item]) -> None:
        try:
            mine.wake.wait()
        except BaseException:  # interrupted: the others must not wait for this thread
            with self._lock:
                to_lead = mine.wake.is_set() and not mine.done
                if mine in self._queue:
                    self._queue.remove(mine)
            if to_lead:
                self._hand_over()
            raise

    def _lead(self) -> None:
        with self._lock:
            batch = list(self._queue)
            self._queue.clear()
        try:
            self._commit(batch)
        finally:
            for each in batch:
                if not each.done:
                    each.error = WriteInterrupted("The audit trail's writer was stopped.")
                    each.done = True
                each.wake.set()
            self._hand_over()

    def _commit(self, batch: Sequence[_Waiting[Item]]) -> None:
        try:
            self._write([each.item for each in batch])
        except Exception as problem:
            if len(batch) > 1 and self._alone(problem):
                for each in batch:
                    self._commit([each])
                return
            for each in batch:
                each.error = problem
        for each in batch:
            each.done = True

    def _hand_over(self) -> None:
        with self._lock:
            self._led = bool(self._queue)
            if self._led:
                self._queue[0].wake.set()

    def begin_anew(self) -> None:
        """Forget leader and queue: after a fork they are threads of the parent."""
        self._lock = threading.Lock()
        self._queue: deque[_Waiting[Item]] = deque()
        self._led = False


_all: weakref.WeakSet[GroupCommit[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    for each in _all:
        each.begin_anew()


os.register_at_fork(after_in_child=_after_fork)
