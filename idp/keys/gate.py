"""Keeps callers from a custody that refuses: it is asked again now and then, by one of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from idp.keys.signing_key import KeyUnusable

T = TypeVar("T")

log = logging.getLogger("idp.keys.gate")
log.addHandler(logging.NullHandler())  # a command at a terminal says it in its own words


class Gate:
    """Open while calls succeed. After a refusal everybody is refused at once, with its sentence.

    After `pause` seconds one caller is let through to see whether it is over. Closing and opening
    write a line to the log, which is the operator's alarm.
    """

    def __init__(
        self, what: str, pause: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._refusal: KeyUnusable | None = None
        self._next_try = 0.0
        self._succeeded_at: float | None = None

    def run(self, ask: Callable[[], T]) -> T:
        """What `ask()` gives. Raises the KeyUnusable that it raises, or raised a moment ago."""
        if self._refusal is not None:
            self._let_one_through()
        try:
            result = ask()
        except KeyUnusable as refusal:
            self._close(refusal)
            raise
        self._succeeded_at = self._clock()
        if self._refusal is not None:
            self._open()
        return result

    def succeeded_within(self, seconds: float) -> bool:
        """Whether the last call succeeded, and so lately."""
        at = self._succeeded_at
        return self._refusal is None and at is not None and self._clock() - at < seconds

    def _let_one_through(self) -> None:
        with self._lock:
            refusal, now = self._refusal, self._clock()
            if refusal is not None and now < self._next_try:
                raise type(refusal)(refusal.message, refusal.advice)
            self._next_try = now + self._pause

    def _close(self, refusal: KeyUnusable) -> None:
        with self._lock:
            before = self._refusal
            self._refusal = type(refusal)(refusal.message, refusal.advice)
            self._next_try = self._clock() + self._pause
        if before is None or before.message != refusal.message:
            fields = {"custody": self._what, "reason": refusal.message, "advice": refusal.advice}
            log.error("signing key unusable", extra=fields)

    def _open(self) -> None:
        with self._lock:
            self._refusal = None
        log.warning("signing key usable again", extra={"custody": self._what})
