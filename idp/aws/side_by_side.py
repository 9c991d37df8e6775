"""Work on many accounts at once, each with its own result; none holds up the others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, Queue
from threading import Thread
from typing import TypeVar

from idp.aws.account_refusal import AccountRefusal

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOOK_AGAIN = 0.2  # seconds


def side_by_side(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    *,
    workers: int,
    longest: float,
    stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[Item, Result | Exception]]:
    """Do `work` on every item, `workers` at a time, and give each result as it comes.

    An exception is a result like any other. An item that takes longer than `longest` seconds is
    given up, with an AccountRefusal, and its thread left behind; threads are daemons, so that
    leaving the program never waits for an endpoint that hangs. Once `stopped` says true no item is
    begun any more: those that run are waited for, the others are AccountRefusals.
    """
    answers: Queue[tuple[int, Result | Exception]] = Queue()

    def run(index: int) -> None:
        try:
            answers.put((index, work(items[index])))
        except Exception as problem:
            answers.put((index, problem))

    waiting, running = deque(range(len(items))), dict[int, float]()
    while waiting or running:
        while waiting and stopped():
            refusal = AccountRefusal(
                "stopped", "Not begun: it was stopped before.", "Run it again."
            )
            yield items[waiting.popleft()], refusal
        while waiting and len(running) < workers:
            index = waiting.popleft()
            running[index] = clock() + longest
            Thread(target=run, args=(index,), daemon=True).start()
        try:
            index, answer = answers.get(timeout=_LOOK_AGAIN)
        except Empty:
            pass
        else:
            if running.pop(index, None) is not None:
                yield items[index], answer
        for late in [index for index, end in running.items() if clock() > end]:
            del running[late]
            sentence = f"Given up: there was no end to it in {longest:g} seconds."
            yield items[late], AccountRefusal("timed_out", sentence, "Run it again.")
