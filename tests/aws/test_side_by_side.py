"""Many accounts at once, each with its own result."""

from __future__ import annotations

from threading import Barrier, Event

import pytest

from idp.aws.account_refusal import AccountRefusal
from idp.aws.side_by_side import side_by_side


def test_every_item_gets_its_own_result_and_a_failure_stops_no_other() -> None:
    def work(number: int) -> int:
        if number % 10 == 3:
            raise ValueError(number)
        return number * number

    found = dict(side_by_side(range(30), work, workers=4, longest=60))
    assert sorted(found) == list(range(30))
    for number, answer in found.items():
        if number % 10 == 3:
            assert isinstance(answer, ValueError)
        else:
            assert answer == number * number


def test_as_many_as_asked_for_are_worked_on_at_the_same_time() -> None:
    together = Barrier(5, timeout=30)

    def work(_number: int) -> None:
        together.wait()

    found = dict(side_by_side(range(5), work, workers=5, longest=60))
    assert found == dict.fromkeys(range(5))


def test_one_that_never_ends_is_given_up_and_the_others_go_on() -> None:
    forever = Event()

    def work(name: str) -> str:
        if name == "stuck":
            forever.wait(60)
        return name

    found = dict(side_by_side(["stuck", "a", "b"], work, workers=1, longest=1))
    forever.set()
    assert (found["a"], found["b"]) == ("a", "b")
    assert isinstance(found["stuck"], AccountRefusal)
    assert found["stuck"].kind == "timed_out"


def test_after_being_stopped_nothing_new_is_begun_and_what_runs_is_finished() -> None:
    stop, begun = Event(), list[int]()

    def work(number: int) -> int:
        begun.append(number)
        stop.set()
        return number

    found = dict(side_by_side(range(10), work, workers=1, longest=60, stopped=stop.is_set))
    assert begun == [0]
    assert found[0] == 0
    kinds = {answer.kind for answer in found.values() if isinstance(answer, AccountRefusal)}
    assert (len(found), kinds) == (10, {"stopped"})


@pytest.mark.parametrize("workers", [1, 8])
def test_nothing_to_do_is_done_at_once(workers: int) -> None:
    assert list(side_by_side([], str, workers=workers, longest=1)) == []
