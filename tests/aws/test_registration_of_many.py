"""Fifty accounts, faults, and a command that is killed: a second run ends right."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from subprocess import Popen

import pytest

from idp.entitlements.account import Account
from tests.aws.faulty_proxy import (
    Fault,
    FaultyProxy,
    cutting,
    losing_the_answer,
    refusing,
)
from tests.aws.installation import Installation
from tests.aws.running_sandbox import RunningSandbox

CREATE, UPDATE, GET, WHO = (
    "CreateSAMLProvider",
    "UpdateSAMLProvider",
    "GetSAMLProvider",
    "GetCallerIdentity",
)
PASSING: tuple[Fault, ...] = (
    refusing("Throttling", 400, "Rate exceeded"),
    refusing("ServiceFailure", 500),
    cutting,
    losing_the_answer,
)


@pytest.fixture
def fifty(installation: Installation, numbers: Iterator[int]) -> list[str]:
    """Fifty accounts in the database, in all partitions; gives their numbers."""
    made = [
        Account(str(next(numbers)), f"account-{at:02}", partition, "ExampleIdP")
        for at, partition in enumerate(("aws", "aws-cn", "aws-us-gov", "aws", "aws") * 10)
    ]
    installation.add_accounts(made)
    return [account.number for account in made]


def assert_all_hold_what_we_publish(installation: Installation, sandbox: RunningSandbox) -> None:
    published = installation.metadata
    for account in installation.accounts():
        held = sandbox.held(account.number, account.partition)
        assert held is not None, account
        assert held.metadata.encode() == published


def test_fifty_accounts_with_faults_end_right_after_a_second_run(
    installation: Installation, sandbox: RunningSandbox, proxy: FaultyProxy, fifty: list[str]
) -> None:
    chance = random.Random(7)
    order = chance.sample(fifty, len(fifty))
    for number in order[20:]:  # these pass by themselves
        action = chance.choice((WHO, GET, CREATE))
        proxy.once(number, action, chance.choice(PASSING))
    staying = {
        "throttled": refusing("Throttling", 400, "Rate exceeded"),
        "denied": refusing("AccessDenied", 403, "no"),
        "expired": refusing("ExpiredToken", 403),
        "aws_error": refusing("InternalFailure", 500),
        "timed_out": proxy.hanging,
    }
    expected = dict(zip(order[:20], list(staying) * 4, strict=True))
    for number, kind in expected.items():
        proxy.always(number, chance.choice((WHO, GET, CREATE)), staying[kind])

    options = ("--all", "--workers", "8", "--timeout", "25")
    first = installation.json("register", *options, code=1)
    assert {n: row["problem"]["kind"] for n, row in first.items() if row["problem"]} == expected
    assert {first[number]["outcome"] for number in order[20:]} == {"created"}

    proxy.heal()
    proxy.calls.clear()
    second = installation.json("register", *options)
    assert Counter(row["outcome"] for row in second.values()) == {"unchanged": 30, "created": 20}
    assert {call.key for call in proxy.changes()} == set(expected)
    assert len(proxy.changes()) == 20
    assert_all_hold_what_we_publish(installation, sandbox)

    proxy.calls.clear()
    third = installation.json("register", *options)
    assert {row["outcome"] for row in third.values()} == {"unchanged"}
    assert proxy.changes() == []
    audited = [subject for subject, _changes in installation.registered()]
    assert sorted(audited) == sorted(fifty)


def wait_for_changes(running: Popen[str], proxy: FaultyProxy, count: int) -> None:
    """Until so many calls have changed something, and some accounts are still to come."""
    end = time.monotonic() + 60
    while len(proxy.done()) < count:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("action", [CREATE, UPDATE])
def test_killed_half_way_a_second_run_does_only_what_is_left(
    installation: Installation,
    sandbox: RunningSandbox,
    proxy: FaultyProxy,
    fifty: list[str],
    action: str,
) -> None:
    if action == UPDATE:
        installation.json("register", "--all", "--workers", "8")
        proxy.calls.clear()
        installation.add_key()
    proxy.delay = 0.02
    running = installation.start("register", "--all", "--workers", "4")
    wait_for_changes(running, proxy, 15)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=30)
    proxy.delay = 0
    time.sleep(0.2)  # for calls that the proxy had in hand
    before = len(proxy.done())
    assert 15 <= before < 50

    second = installation.json("register", "--all", "--workers", "8")
    outcomes = Counter(row["outcome"] for row in second.values())
    word = {CREATE: "created", UPDATE: "updated"}[action]
    assert outcomes == {"unchanged": before, word: 50 - before}
    assert_all_hold_what_we_publish(installation, sandbox)
    assert Counter(call.key for call in proxy.done()) == dict.fromkeys(fifty, 1)
    assert {call.action for call in proxy.done()} == {action}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_ends_in_order_and_a_second_run_does_the_rest(
    installation: Installation,
    sandbox: RunningSandbox,
    proxy: FaultyProxy,
    fifty: list[str],
    number: signal.Signals,
) -> None:
    proxy.delay = 0.02
    running = installation.start("register", "--all", "--workers", "4")
    wait_for_changes(running, proxy, 10)
    running.send_signal(number)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "Traceback" not in errors
    assert "Stopping after the calls under way" in errors
    lines = [line.split("\t") for line in output.splitlines()]
    created = {line[1] for line in lines if line[2] == "created"}
    assert len(lines) == 50
    assert created == {call.key for call in proxy.done()}
    assert created == {subject for subject, _changes in installation.registered()}
    assert len(created) < 50

    proxy.delay = 0
    installation.json("register", "--all", "--workers", "8")
    assert_all_hold_what_we_publish(installation, sandbox)
    assert Counter(call.key for call in proxy.done()) == dict.fromkeys(fifty, 1)
