"""Load: several people who keep asking, and a book of what they were answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from tests.operations.node import PATIENCE, Answer


class Load:
    """Threads that repeat an action until the block ends; refusals to connect are failures."""

    def __init__(self, *actions: Callable[[], Answer]) -> None:
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(action,), daemon=True) for action in actions
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def wait_for(self, more: int) -> None:
        """Return after `more` further good answers."""
        wanted = len(self.answers) + more
        deadline = time.monotonic() + PATIENCE
        while len(self.answers) < wanted:
            assert time.monotonic() < deadline, (len(self.answers), wanted, self.failures[:5])
            time.sleep(0.01)

    def _repeat(self, action: Callable[[], Answer]) -> None:
        while not self._end.is_set():
            try:
                answer = action()
            except Exception as problem:
                self.failures.append(repr(problem))
                time.sleep(0.05)
                continue
            if answer.status < 500:
                self.answers.append(answer)
            else:
                self.failures.append(f"{answer.status}: {answer.text[-500:]}")
