"""Rotations over twenty accounts while people sign in: not one sign-in fails.

Each assertion is made by the real server with its workers, and redeemed at the sandbox's STS.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.faulty_proxy import FaultyProxy, faulty_proxy, refusing
from tests.operations.load import Load
from tests.operations.node import PATIENCE
from tests.operations.trail import assert_whole, chain
from tests.rotation.load_company import LoadCompany, Visitor, sandbox_process

pytestmark = pytest.mark.xdist_group("heavy")

PEOPLE = ("ann", "bob", "cleo")
SIGN_INS = 20  # between two steps that are looked at


@pytest.fixture
def company(tmp_path: Path, sqlite_url: str) -> Iterator[LoadCompany]:
    with sandbox_process() as sandbox:
        made = LoadCompany.make(tmp_path, sqlite_url, sandbox)
        with made.node:
            yield made
        made.database.close()


@pytest.fixture
def proxy(company: LoadCompany) -> Iterator[FaultyProxy]:
    with faulty_proxy(company.sandbox) as running:
        yield running


def test_a_rotation_and_one_that_is_killed_at_every_step(company: LoadCompany) -> None:
    people = [Visitor(company, name) for name in PEOPLE]
    first = company.active
    with company.executioner() as killed_at, Load(*people) as load:
        load.wait_for(SIGN_INS)
        done = company.node.command("certs", "rotate", "--yes", "--workers", "8")
        assert done.returncode == 0, done.stdout + done.stderr
        second = company.active
        assert company.held() == {frozenset({first.fingerprint, second.fingerprint})}
        load.wait_for(SIGN_INS)
        company.end_overlap()
        done = company.node.command("certs", "rotate", "--resume", "--workers", "8")
        assert done.returncode == 0, done.stdout + done.stderr
        assert company.states == ["retired", "active"]
        assert company.held() == {frozenset({second.fingerprint})}
        load.wait_for(SIGN_INS)

        # What is left to do is begun anew each time, and killed at the next step.
        for boundary in ("begun", "answered", "noted", "probed", "proof", "spread", "activated"):
            words = () if boundary == "begun" else ("--resume",)
            assert killed_at(boundary, *words, "--workers", "8") == -9, boundary
            load.wait_for(SIGN_INS // 4)
        third = company.active
        assert third not in (first, second)
        for boundary in ("answered", "verified"):
            assert killed_at(boundary, "--resume", "--workers", "8") == -9, boundary
        load.wait_for(SIGN_INS)
        company.end_overlap()
        for boundary in ("withdrawing", "answered", "noted", "retired", "done"):
            assert killed_at(boundary, "--resume", "--workers", "8") == -9, boundary
            load.wait_for(SIGN_INS // 4)
        assert "No rotation" in company.node.command("certs", "rotate", "--resume").stderr
        load.wait_for(SIGN_INS)
    assert company.states == ["retired", "retired", "active"]
    assert company.held() == {frozenset({third.fingerprint})}
    assert_all_went_well(company, load, people, 3)


def test_a_rotation_with_a_refusing_account_throttling_and_a_server_that_restarts(
    company: LoadCompany, proxy: FaultyProxy
) -> None:
    people = [Visitor(company, name) for name in PEOPLE]
    first, bad = company.active, company.accounts[7]
    throttled = refusing("Throttling", 400, "Rate exceeded")
    for account in company.accounts:
        proxy.once(account.number, "UpdateSAMLProvider", throttled)
    proxy.always(bad.number, "UpdateSAMLProvider", refusing("AccessDenied", 403))
    through_proxy = ("--workers", "8", "--endpoint-url", proxy.address)
    with company.executioner() as killed_at, Load(*people) as load:
        load.wait_for(SIGN_INS)
        failed = company.node.command("certs", "rotate", "--yes", *through_proxy)
        assert failed.returncode == 1, failed.stdout + failed.stderr
        assert bad.alias in failed.stdout
        assert "Not allowed: iam:UpdateSAMLProvider" in failed.stdout
        assert company.states == ["active", "next"]
        load.wait_for(SIGN_INS)
        assert {name for each in people for name in each.signed_by} == {first.fingerprint}
        proxy.heal()
        assert killed_at("spread", "--resume", *through_proxy) == -9
        resuming = company.node.spawn(["certs", "rotate", "--resume", *through_proxy])
        assert company.node.stop() == 0
        company.node.start()
        assert resuming.wait(PATIENCE) == 0
        load.wait_for(SIGN_INS)
        company.end_overlap()
        done = company.node.command("certs", "rotate", "--resume", *through_proxy)
        assert done.returncode == 0, done.stdout + done.stderr
        load.wait_for(SIGN_INS)
    assert company.states == ["retired", "active"]
    assert company.held() == {frozenset({company.active.fingerprint})}
    assert_all_went_well(company, load, people, 2)


def assert_all_went_well(
    company: LoadCompany, load: Load, people: list[Visitor], number_of_keys: int
) -> None:
    """Nobody failed, every key had its turn, and each assertion is in a whole chain."""
    assert load.failures == []
    rows = chain(str(company.database.engine.url))
    assert_whole(rows)
    used = {name for each in people for name in each.signed_by}
    assert used == {key.fingerprint for key in company.keys}
    assert len(used) == number_of_keys
    recorded = {row.assertion_id for row in rows}
    for each in people:
        assert each.assertions
        assert set(each.assertions) <= recorded
