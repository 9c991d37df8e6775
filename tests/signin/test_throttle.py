"""Slowing down guesses without locking people out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from idp.db.engine import Database
from idp.db.models import SignInFailureRow
from idp.settings import SignInSettings
from idp.signin.browser import BrowserTokens
from idp.signin.throttle import Throttle, TooManyAttempts, counted_name, network_of


@pytest.fixture
def throttle(database: Database) -> Throttle:
    return Throttle(database, SignInSettings())


def _allowed(
    throttle: Throttle, name: str, address: str, browser: str | None, at: datetime
) -> bool:
    try:
        throttle.reserve(name, address, browser, at)
    except TooManyAttempts:
        return False
    return True


def _rows(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(SignInFailureRow)) or 0


def test_guesses_sent_at_once_can_not_race_past_the_limit(
    throttle: Throttle, now: datetime
) -> None:
    with ThreadPoolExecutor(16) as pool:
        passed = pool.map(lambda _: _allowed(throttle, "ann", "192.0.2.1", None, now), range(48))
        assert sum(passed) == 5


def test_guesses_at_once_from_many_networks_meet_the_limit_of_the_person(
    throttle: Throttle, now: datetime
) -> None:
    with ThreadPoolExecutor(16) as pool:
        passed = pool.map(lambda n: _allowed(throttle, "ann", f"192.0.2.{n}", None, now), range(80))
        assert sum(passed) == 50


def test_guesses_and_successes_at_once_end_without_a_deadlock(
    throttle: Throttle, now: datetime
) -> None:
    def succeed(number: int) -> None:
        try:
            attempt = throttle.reserve("ann", f"192.0.2.{number % 3}", None, now)
        except TooManyAttempts:
            return
        throttle.record_success(attempt)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(succeed, range(60)))


def test_guesses_at_many_people_meet_the_limit_of_the_network(
    throttle: Throttle, now: datetime
) -> None:
    passed = [_allowed(throttle, f"user{n}", "192.0.2.1", None, now) for n in range(103)]
    assert passed == [True] * 100 + [False] * 3
    assert _allowed(throttle, "user0", "192.0.2.2", None, now)


def test_a_known_browser_has_a_counter_of_its_own(throttle: Throttle, now: datetime) -> None:
    for _ in range(8):
        _allowed(throttle, "ann", "192.0.2.1", None, now)
    passed = [_allowed(throttle, "ann", "192.0.2.1", "browser one", now) for _ in range(7)]
    assert passed == [True] * 5 + [False] * 2
    assert _allowed(throttle, "ann", "192.0.2.1", "browser two", now)
    assert _allowed(throttle, "bob", "192.0.2.1", "browser one", now)


def test_waiting_helps_and_refused_attempts_do_not_count(throttle: Throttle, now: datetime) -> None:
    for second in range(5):
        assert _allowed(throttle, "ann", "192.0.2.1", None, now + timedelta(seconds=second))
    with pytest.raises(TooManyAttempts) as refusal:
        throttle.reserve("ann", "192.0.2.1", None, now + timedelta(minutes=5))
    assert refusal.value.retry_after == 10 * 60
    assert not _allowed(throttle, "ann", "192.0.2.1", None, now + timedelta(seconds=899))
    assert _allowed(throttle, "ann", "192.0.2.1", None, now + timedelta(seconds=900))
    assert not _allowed(throttle, "ann", "192.0.2.1", None, now + timedelta(seconds=900))


def test_success_empties_the_own_counter_and_not_the_shared_ones(
    throttle: Throttle, now: datetime
) -> None:
    for n in range(99):
        assert _allowed(throttle, f"user{n}", "192.0.2.1", None, now)
    for _ in range(3):
        throttle.record_success(throttle.reserve("mallory", "192.0.2.1", None, now))
    assert _allowed(throttle, "ann", "192.0.2.1", None, now)
    assert not _allowed(throttle, "ann", "192.0.2.1", None, now)
    for _ in range(4):
        _allowed(throttle, "carl", "192.0.2.2", None, now)
    throttle.record_success(throttle.reserve("carl", "192.0.2.2", None, now))
    assert _allowed(throttle, "carl", "192.0.2.2", None, now)


def test_an_attempt_taken_back_leaves_nothing(
    database: Database, throttle: Throttle, now: datetime
) -> None:
    throttle.take_back(throttle.reserve("ann", "192.0.2.1", None, now))
    assert _rows(database) == 0


def test_old_rows_go_as_new_ones_come(
    database: Database, throttle: Throttle, now: datetime
) -> None:
    for n in range(60):
        throttle.reserve(f"user{n}", f"192.0.2.{n}", None, now)
    assert _rows(database) == 180
    for n in range(2):
        throttle.reserve("ann", f"192.0.2.{n}", None, now + timedelta(hours=1))
    assert _rows(database) == 6


@pytest.mark.parametrize(
    ("one", "other"), [("ANN", "ann"), ("ánn", "ann"), ("a\u0301nn", "ann"), ("ann  l", "ANN L")]
)
def test_spellings_of_a_name_share_their_counters(one: str, other: str) -> None:
    assert counted_name(one) == counted_name(other)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_a_network_is_what_one_attacker_has(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_browser_token_counts_for_one_user_under_one_secret() -> None:
    tokens = BrowserTokens(b"a" * 32)
    token = tokens.issue("Ann")
    assert tokens.recognise(token, "ANN") == token.split(".")[0]
    assert tokens.recognise(token, "bob") is None
    assert BrowserTokens(b"b" * 32).recognise(token, "ann") is None
    for forged in (None, "", "x", token[:-1], token + "0", token.upper(), "é" * 97, "\ud800"):
        assert tokens.recognise(forged, "ann") is None
    with pytest.raises(ValueError, match="32 bytes"):
        BrowserTokens(b"short")
