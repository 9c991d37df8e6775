"""Signing in, from the typed name to the session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.directory.interface import (
    Authentication,
    DirectoryUnavailable,
    MayTry,
    PersonUnavailable,
    always,
)
from idp.directory.local import LocalDirectory
from idp.directory.person import Person
from idp.errors import IdpError
from idp.signin.journey import SignInRefused
from idp.signin.throttle import TooManyAttempts

GOOD = "correct horse battery"


@dataclass
class DownDirectory:
    """A directory whose server is gone."""

    name: str = "corp"
    asked: int = 0

    def authenticate(
        self, username: str, password: str, may_try: MayTry = always
    ) -> Authentication:
        self.asked += 1
        raise DirectoryUnavailable(self.name, "no server answers")

    def find(self, directory_id: str) -> Person | None:
        raise DirectoryUnavailable(self.name, "no server answers")

    def find_by_name(self, username: str) -> Person | None:
        raise DirectoryUnavailable(self.name, "no server answers")


class ChokingDirectory(DownDirectory):
    """A directory that works, but not for whoever is asked for."""

    def authenticate(
        self, username: str, password: str, may_try: MayTry = always
    ) -> Authentication:
        raise PersonUnavailable(self.name, "it gave no usable answer", "no_usable_answer")


def test_a_right_password_opens_a_session(house: Any) -> None:
    result = house.sign_in(" ANN ", GOOD)
    assert result.signed_in.person == house.local.find_by_name("ann")
    assert result.signed_in.factors == ("password",)
    assert house.sessions.find(result.token, house.now) == result.signed_in
    assert house.events == [
        (
            "sign_in.succeeded",
            {
                "username": "ann",
                "address": "192.0.2.1",
                "directory": "local",
                "directory_id": result.signed_in.person.directory_id,
                "person_id": result.signed_in.person_id,
            },
        )
    ]


def test_every_sign_in_is_a_new_session(small_house: Any) -> None:
    first, second = (small_house.sign_in("ann", GOOD) for _ in range(2))
    assert first.token != second.token
    assert first.signed_in.person_id == second.signed_in.person_id


CAUSES = [
    ("ann", "wrong", "wrong_password"),
    ("nobody", GOOD, "unknown_user"),
    ("bob", GOOD, "disabled"),
    ("bob", "wrong", "wrong_password"),
]
MALFORMED = [
    ("", GOOD),
    ("ann", ""),
    ("a\0nn", GOOD),
    ("ann", "a\0"),
    ("\ud800", GOOD),
    ("x" * 10_000_000, GOOD),
    ("ann", "x" * 10_000_000),
    ("ann\u200b", GOOD),
]


@pytest.mark.parametrize(("name", "password", "reason"), CAUSES)
def test_one_refusal_and_one_cost_whatever_the_cause(
    house: Any, name: str, password: str, reason: str
) -> None:
    with pytest.raises(SignInRefused) as refusal:
        house.sign_in(name, password)
    assert str(refusal.value) == str(SignInRefused())
    assert refusal.value.status == 401
    assert house.passwords.verifications == 1
    assert [(event, details["reason"]) for event, details in house.events] == [
        ("sign_in.refused", reason)
    ]


@pytest.mark.parametrize(("name", "password"), MALFORMED)
def test_malformed_input_is_refused_in_the_same_words(
    small_house: Any, name: str, password: str
) -> None:
    with pytest.raises(SignInRefused) as refusal:
        small_house.sign_in(name, password)
    assert str(refusal.value) == str(SignInRefused())
    (event, details) = small_house.events[0]
    assert (event, details["reason"]) == ("sign_in.refused", "malformed_input")
    assert len(details["username"]) < 2000
    assert details["username"].isprintable()


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_guessing_is_slowed_down_the_same_for_names_that_do_not_exist(
    house: Any, name: str
) -> None:
    for _ in range(5):
        with pytest.raises(SignInRefused):
            house.sign_in(name, "wrong")
    with pytest.raises(TooManyAttempts) as refusal:
        house.sign_in(name, GOOD)
    assert refusal.value.retry_after == 15 * 60
    assert house.passwords.verifications == 5
    assert house.events[-1][1]["reason"] == "throttled"


def test_the_known_browser_gets_in_while_strangers_guess(small_house: Any) -> None:
    browser = small_house.sign_in("ann", GOOD).browser_token
    for number in range(60):
        with pytest.raises((SignInRefused, TooManyAttempts)):
            small_house.sign_in("ann", "wrong", address=f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts):
        small_house.sign_in("ann", GOOD, address="203.0.113.9")
    result = small_house.sign_in("ANN", GOOD, address="198.51.100.1", browser=browser)
    assert result.browser_token == browser


def test_the_second_directory_is_asked_too(small_house: Any) -> None:
    second = LocalDirectory(small_house.database, small_house.passwords, "second")
    small_house.directories = [second, small_house.local]
    with pytest.raises(SignInRefused):
        small_house.sign_in("ann", "wrong")
    assert small_house.passwords.verifications == 2
    assert small_house.sign_in("ann", GOOD).signed_in.person.directory == "second"


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_a_directory_that_is_down_grants_nothing_and_leaves_the_others_working(
    small_house: Any, name: str
) -> None:
    down = DownDirectory()
    small_house.directories = [down, small_house.local]
    assert small_house.sign_in("ann", GOOD).signed_in.person.username == "ann"
    with pytest.raises(DirectoryUnavailable):
        small_house.sign_in(name, "wrong")
    assert small_house.events[-1][1]["reason"] == "directory_unavailable"


def test_an_attempt_that_no_directory_judged_is_not_counted(small_house: Any) -> None:
    small_house.directories = [DownDirectory()]
    for _ in range(8):
        with pytest.raises(DirectoryUnavailable):
            small_house.sign_in("ann", GOOD)
    small_house.directories = [small_house.local]
    assert small_house.sign_in("ann", GOOD)


def test_an_attempt_at_somebody_whom_the_directory_chokes_on_is_counted(small_house: Any) -> None:
    """Waiting changes nothing for them, and whoever guesses at them is slowed down."""
    small_house.directories = [ChokingDirectory()]
    for _ in range(5):
        with pytest.raises(PersonUnavailable):
            small_house.sign_in("ann", GOOD)
    assert small_house.events[-1][1]["reason"] == "no_usable_answer"
    with pytest.raises(TooManyAttempts):
        small_house.sign_in("ann", GOOD)


@dataclass
class ManyNames(DownDirectory):
    """A directory where every name is somebody's, whose password is GOOD."""

    tried: int = 0

    def authenticate(
        self, username: str, password: str, may_try: MayTry = always
    ) -> Authentication:
        if not may_try("the one identifier"):
            return Authentication(None, "throttled")
        self.tried += 1
        if password != GOOD:
            return Authentication(None, "wrong_password")
        return Authentication(Person(self.name, "the one identifier", "ann", "Ann"))


def test_several_names_of_one_person_buy_no_guesses(house: Any) -> None:
    directory = ManyNames()
    house.directories = [directory]
    for number in range(12):
        with pytest.raises(SignInRefused) as refusal:
            house.sign_in(f"name{number}", "wrong")
        assert str(refusal.value) == str(SignInRefused())
    assert directory.tried == 5
    assert [details["reason"] for _, details in house.events] == ["wrong_password"] * 5 + [
        "throttled"
    ] * 7
    with pytest.raises(SignInRefused):
        house.sign_in("name12", GOOD)


def test_a_success_empties_the_counter_of_all_names(house: Any) -> None:
    directory = ManyNames()
    house.directories = [directory]
    for number in range(4):
        with pytest.raises(SignInRefused):
            house.sign_in(f"name{number}", "wrong")
    assert house.sign_in("name9", GOOD)
    with pytest.raises(SignInRefused):
        house.sign_in("name10", "wrong")
    assert house.sign_in("name11", GOOD)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(st.characters()), st.text(st.characters()), st.text(), st.none() | st.text())
def test_any_input_ends_in_a_refusal_of_ours(
    small_house: Any, name: str, password: str, address: str, browser: str | None
) -> None:
    with pytest.raises(IdpError):
        small_house.sign_in(name, password, address=address, browser=browser)
