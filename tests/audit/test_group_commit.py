"""Group commit: one writer at a time, for all who wait, and nobody left waiting."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from idp.audit.group_commit import GroupCommit, WriteInterrupted


class Held:
    """A writer whose first batch waits until the test lets it go."""

    def __init__(self, *, interrupt: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.writing = threading.Event()
        self.gate = threading.Event()
        self.interrupt = interrupt

    def write(self, batch: Sequence[int]) -> None:
        self.batches.append(list(batch))
        if len(self.batches) == 1:
            self.writing.set()
            assert self.gate.wait(30)
        elif self.interrupt and len(self.batches) == 2:
            raise KeyboardInterrupt
        if -1 in batch:
            raise ValueError("minus one")
        if -2 in batch:
            raise OSError("the disk is full")


def alone(problem: Exception) -> bool:
    return not isinstance(problem, OSError)


def meet(held: Held, items: Sequence[int]) -> tuple[GroupCommit[int], list[Future[None]]]:
    """Submit 0, and while it is written all of `items`, so that these wait for one batch."""
    group = GroupCommit(held.write, alone)
    with ThreadPoolExecutor(len(items) + 1) as threads:
        outcomes = [threads.submit(group.submit, 0)]
        assert held.writing.wait(30)
        for number, item in enumerate(items):
            outcomes.append(threads.submit(group.submit, item))
            while group.waiting <= number:
                time.sleep(0.001)
        held.gate.set()
    return group, outcomes


def test_those_who_wait_are_written_together() -> None:
    held = Held()
    _, outcomes = meet(held, [1, 2, 3, 4, 5])
    assert held.batches == [[0], [1, 2, 3, 4, 5]]
    assert all(outcome.exception() is None for outcome in outcomes)


def test_a_bad_item_fails_only_its_own_caller() -> None:
    held = Held()
    _, outcomes = meet(held, [1, -1, 3])
    assert held.batches == [[0], [1, -1, 3], [1], [-1], [3]]
    assert [type(outcome.exception()) for outcome in outcomes] == [
        type(None),
        type(None),
        ValueError,
        type(None),
    ]


def test_a_fault_of_the_database_reaches_everybody_at_once() -> None:
    held = Held()
    _, outcomes = meet(held, [1, -2, 3])
    assert held.batches == [[0], [1, -2, 3]]
    assert all(isinstance(outcome.exception(), OSError) for outcome in outcomes[1:])


def test_an_interrupted_leader_leaves_nobody_waiting() -> None:
    held = Held(interrupt=True)
    group, outcomes = meet(held, [1, 2])
    kinds = {type(outcome.exception()) for outcome in outcomes[1:]}
    assert kinds == {KeyboardInterrupt, WriteInterrupted}
    group.submit(7)
    assert held.batches[-1] == [7]


def test_a_thread_alone_never_waits() -> None:
    batches: list[list[int]] = []
    group: GroupCommit[int] = GroupCommit(lambda batch: batches.append(list(batch)), alone)
    for number in range(3):
        group.submit(number)
    assert batches == [[0], [1], [2]]


def test_many_threads_each_get_their_turn_once() -> None:
    written: list[int] = []
    group: GroupCommit[int] = GroupCommit(written.extend, alone)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(group.submit, range(5000)))
    assert sorted(written) == list(range(5000))


FORKED = """
import os, threading
from idp.audit.group_commit import GroupCommit

writing, gate, batches = threading.Event(), threading.Event(), []

def write(batch):
    batches.append(list(batch))
    if len(batches) == 1:
        writing.set()
        gate.wait()

group = GroupCommit(write, lambda problem: True)
leader = threading.Thread(target=group.submit, args=("parent",))
leader.start()
writing.wait()
child = os.fork()
if child == 0:
    group.submit("child")
    os._exit(0 if batches[-1] == ["child"] else 1)
status = os.waitpid(child, 0)[1]
gate.set()
leader.join()
raise SystemExit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_process_does_not_wait_for_its_parents_threads() -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], timeout=60, check=False)
    assert done.returncode == 0
