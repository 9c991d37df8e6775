"""Making a name that nobody has cost the time of a wrong password."""

from __future__ import annotations

import threading
from collections.abc import Callable

_BEFORE_ANY_IS_KNOWN = 0.05  # seconds
_LONGEST = 0.5
_SHARE_OF_THE_NEWEST = 0.2


class EvenRefusals:
    """Remembers how long refusals of real accounts take, and lets the others take as long.

    A controller writes down each wrong password of an account that it has, and nothing for a name
    that it has not: 45 ms against 2 ms have been measured. `sleep` takes seconds.
    """

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep
        self._usual = _BEFORE_ANY_IS_KNOWN
        self._lock = threading.Lock()

    def known(self, seconds: float) -> None:
        """A real account was refused, in so many seconds."""
        with self._lock:
            self._usual += (min(seconds, _LONGEST) - self._usual) * _SHARE_OF_THE_NEWEST

    def unknown(self, seconds: float) -> None:
        """Nobody had the name, which was found out in so many seconds: wait for what is missing."""
        with self._lock:
            missing = self._usual - seconds
        if missing > 0:
            self._sleep(missing)
