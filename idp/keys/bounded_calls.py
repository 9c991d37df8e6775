"""Calls that may hang, made in threads of their own, so that nobody waits longer than agreed.

A call into a vendor's module, or to a name server that is silent, can't be interrupted. Here it
holds up one of a few threads that do nothing else, and never a thread that serves people.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class TookTooLong(Exception):
    """The call did not end in time; it may still be running."""


class _Call:
    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.ended = threading.Lock()
        self.ended.acquire()
        self.begun = self.given_up = False
        self.result: Any = None
        self.problem: BaseException | None = None


class BoundedCalls:
    """Runs calls in at most `threads` daemon threads, which are started when they are needed."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._most = threads
        self._waiting: SimpleQueue[_Call | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = self._busy = self._hanging = 0

    def run(self, work: Callable[[], T], seconds: float) -> T:
        """What `work()` gives or raises. Raises TookTooLong if that takes longer than `seconds`.

        A call that has not begun by then never does. While all threads hang, it is raised at once.
        """
        call = _Call(work)
        with self._lock:
            if self._hanging >= self._most:
                raise TookTooLong
            self._busy += 1
            if self._busy > self._threads and self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
        self._waiting.put(call)
        if not call.ended.acquire(timeout=seconds):
            self._give_up(call)
        if call.problem is not None:
            raise call.problem
        result: T = call.result
        return result

    def end(self) -> None:
        """Let the threads end; there are to be no more calls."""
        with self._lock:
            for _ in range(self._threads):
                self._waiting.put(None)

    def _give_up(self, call: _Call) -> None:
        with self._lock:
            if call.ended.acquire(blocking=False):
                return  # it ended just now
            call.given_up = True
            self._hanging += call.begun
        raise TookTooLong

    def _work(self) -> None:
        while True:
            call = self._waiting.get()
            if call is None:
                return
            with self._lock:
                call.begun = not call.given_up
            if call.begun:
                try:
                    call.result = call.work()
                except BaseException as problem:
                    call.problem = problem
            with self._lock:
                self._busy -= 1
                if call.given_up:
                    self._hanging -= call.begun
                else:
                    call.ended.release()
            del call  # not to hold the last result until the next call
