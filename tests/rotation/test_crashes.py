"""Killed between any two steps, and started again: the rotation goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from idp.db.engine import Database
from idp.rotation.record import Phase
from idp.rotation.rotate import abort, resume
from tests.rotation.company import RotatingCompany, account

ACCOUNTS = (account(1), account(2, probe=True), account(3))
MOST_RUNS = 60


@pytest.fixture
def company(tmp_path: Path, sqlite: Database) -> RotatingCompany:
    return RotatingCompany.make(tmp_path, sqlite, *ACCOUNTS)


def assert_everybody_can_sign_in(company: RotatingCompany) -> None:
    active = company.active.fingerprint
    for each in ACCOUNTS:
        assert active in company.aws.held(each), f"{each.alias} does not hold the key that signs"


def killed_everywhere(company: RotatingCompany, begin: Callable[[], object]) -> list[str]:
    """Kill each run at its third boundary until one comes through; gives all boundaries passed."""
    passed: list[str] = []
    work = begin
    for _ in range(MOST_RUNS):
        killed = company.until_crash(work, 3)
        passed += company.passed
        assert_everybody_can_sign_in(company)
        if not killed:
            return passed
        work = lambda: resume(company.around)  # noqa: E731
    raise AssertionError(f"it never ended: {passed}")


def test_a_rotation_killed_again_and_again_comes_to_its_end(company: RotatingCompany) -> None:
    old = company.active
    killed_everywhere(company, company.rotate)
    assert company.states == ["retiring", "active"]
    new = company.active
    assert company.phase() is Phase.OVERLAP
    assert all(company.aws.held(each) == {old.fingerprint, new.fingerprint} for each in ACCOUNTS)

    company.pass_time(hours=73)
    killed_everywhere(company, lambda: resume(company.around))
    assert company.states == ["retired", "active"]
    assert company.phase() is Phase.DONE
    assert all(company.aws.held(each) == {new.fingerprint} for each in ACCOUNTS)

    kinds = [kind for kind, _ in company.trail]
    for once in ("rotation.started", "key.activated", "key.retired", "rotation.ended"):
        assert kinds.count(once) == 1, once


def boundaries_of_a_rotation(company: RotatingCompany) -> list[str]:
    company.until_crash(company.rotate, 0)
    return company.passed


@pytest.mark.parametrize("boundary", range(1, 20))
def test_killed_once_at_each_boundary_of_the_way_to_the_new_key(
    boundary: int, company: RotatingCompany
) -> None:
    if not company.until_crash(company.rotate, boundary):
        # There is no such boundary: all of them were tried, and the way is at its end.
        assert company.passed[-1] == "verified"
        return
    assert_everybody_can_sign_in(company)
    resume(company.around)
    assert_everybody_can_sign_in(company)
    assert company.states == ["retiring", "active"]
    assert company.report.rotation.verified_at
    assert not company.report.failures


def test_the_boundaries_tried_above_are_all_there_are(company: RotatingCompany) -> None:
    passed = boundaries_of_a_rotation(company)
    assert len(passed) == 18
    assert {name.split()[0] for name in passed} == {
        *("begun", "answered", "noted", "probed", "proof", "spread", "activated", "verified"),
    }


def test_an_abort_killed_again_and_again_goes_back(company: RotatingCompany) -> None:
    company.aws.refusing = {ACCOUNTS[2].number}
    company.rotate()
    assert company.phase() is Phase.DISTRIBUTING
    old, new = company.keys
    company.aws.refusing = set()
    killed_everywhere(company, lambda: abort(company.around))
    assert company.phase() is Phase.ABORTED
    assert company.states == ["active", "retired"]
    assert all(company.aws.held(each) == {old.fingerprint} for each in ACCOUNTS)
    assert new.fingerprint not in {key.fingerprint for key in company.keys if key.state.published}


def test_a_kill_between_the_change_at_aws_and_our_row_is_undone_by_an_abort(
    company: RotatingCompany,
) -> None:
    assert company.until_crash(company.rotate, 2)
    assert company.passed[-1].startswith("answered")
    old, new = company.keys
    assert any(new.fingerprint in company.aws.held(each) for each in ACCOUNTS)
    assert company.report.accounts[0].progress.held_at is None
    abort(company.around)
    assert company.states == ["active", "retired"]
    assert all(company.aws.held(each) == {old.fingerprint} for each in ACCOUNTS)
