"""How long anybody waits for a custody, and how often it is asked."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial

import pytest

from idp.keys.bounded_calls import BoundedCalls, TookTooLong
from idp.keys.gate import Gate
from idp.keys.signing_key import CustodyDown, KeyUnusable


def test_gives_what_the_call_gives_and_raises_what_it_raises() -> None:
    calls = BoundedCalls("test", 2)
    assert [calls.run(partial(pow, n, 2), 5) for n in range(50)] == [n * n for n in range(50)]
    with pytest.raises(ZeroDivisionError):
        calls.run(lambda: 1 // 0, 5)
    with pytest.raises(SystemExit):
        calls.run(lambda: exit(3), 5)
    assert calls.run(lambda: "goes on", 5) == "goes on"


def test_makes_no_more_threads_than_agreed_and_no_sooner_than_needed() -> None:
    calls = BoundedCalls("bounded-test", 3)

    def threads() -> int:
        return sum(thread.name == "bounded-test" for thread in threading.enumerate())

    assert threads() == 0
    for _ in range(5):
        calls.run(lambda: None, 5)
    assert threads() == 1
    askers = [
        threading.Thread(target=calls.run, args=(lambda: time.sleep(0.05), 5)) for _ in "12345"
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert threads() == 3


def test_what_hangs_holds_nobody_up_and_is_over_when_it_ends() -> None:
    calls, released, begun = BoundedCalls("test", 1), threading.Event(), list[int]()

    def hang() -> None:
        begun.append(1)
        released.wait(20)

    began = time.monotonic()
    with pytest.raises(TookTooLong):
        calls.run(hang, 0.1)
    for _ in range(100):
        with pytest.raises(TookTooLong):
            calls.run(hang, 5)
    assert time.monotonic() - began < 2
    assert len(begun) == 1, "a call that had no thread began"
    released.set()
    deadline = time.monotonic() + 5
    while True:
        try:
            assert calls.run(lambda: "over", 1) == "over"
        except TookTooLong:
            assert time.monotonic() < deadline
        else:
            return


def test_a_call_given_up_while_it_waited_never_begins() -> None:
    calls, released, begun = BoundedCalls("test", 1), threading.Event(), list[str]()
    slow = threading.Thread(target=lambda: calls.run(lambda: released.wait(20), 20))
    slow.start()
    with pytest.raises(TookTooLong):
        calls.run(lambda: begun.append("late"), 0.1)
    released.set()
    slow.join(5)
    assert calls.run(lambda: "next", 5) == "next"
    assert begun == []


class Custody:
    """Signs, or refuses, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.refusal: KeyUnusable | None = None

    def sign(self) -> str:
        self.asked += 1
        if self.refusal:
            raise self.refusal
        return "signed"


def test_a_custody_that_refuses_is_asked_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    now, custody = [100.0], Custody()
    gate = Gate("test", 5, lambda: now[0])
    assert gate.run(custody.sign) == "signed"
    assert gate.succeeded_within(1)
    custody.refusal = CustodyDown("It is down.", "Look at it.")
    for _ in range(10):
        with pytest.raises(CustodyDown, match="It is down") as refusal:
            gate.run(custody.sign)
        assert refusal.value.advice == "Look at it."
    assert custody.asked == 2
    assert not gate.succeeded_within(1000)
    for _ in range(3):
        now[0] += 5
        for _ in range(10):
            with pytest.raises(CustodyDown):
                gate.run(custody.sign)
    assert custody.asked == 5
    custody.refusal = None
    with pytest.raises(CustodyDown):
        gate.run(custody.sign)
    now[0] += 5
    assert [gate.run(custody.sign) for _ in range(3)] == ["signed"] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "signing key unusable",
        "signing key usable again",
    ]
