"""Signing in with a password, as one story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from idp.directory.interface import Directory, DirectoryUnavailable, PersonUnavailable
from idp.directory.passwords import BadPassword, prepared_password
from idp.directory.person import Person
from idp.directory.realms import Realms
from idp.directory.usernames import BadUsername, prepared_username
from idp.errors import IdpError
from idp.signin.browser import BrowserTokens
from idp.signin.sessions import Sessions, SignedIn
from idp.signin.throttle import Attempt, Throttle, TooManyAttempts

LONGEST_TYPED_NAME = 256


class SignInRefused(IdpError):
    """The one refusal of a sign-in, whatever its cause; the cause is in the audit row alone."""

    status = 401

    def __init__(self) -> None:
        super().__init__("The user name or the password is not right.", "Check both and try again.")


class Record(Protocol):
    """Writes an audit event; the journey goes on only if it could be written."""

    def __call__(self, event: str, **details: str) -> object:
        """Record `event` ("sign_in.succeeded", "sign_in.refused")."""
        ...


@dataclass(frozen=True, slots=True)
class SignInResult:
    """`token` is for the session cookie, `browser_token` for the long-lived device cookie."""

    token: str
    signed_in: SignedIn
    browser_token: str


@dataclass(frozen=True, slots=True)
class _Found:
    person: Person | None
    directory: str
    reason: str
    refusal: IdpError = field(default_factory=SignInRefused)
    counted: str = ""


@dataclass(frozen=True, slots=True)
class _Visit:
    """Where an attempt comes from, and who counts it."""

    address: str
    browser: str | None
    now: datetime
    throttle: Throttle
    browser_tokens: BrowserTokens


def sign_in(
    username: str,
    password: str,
    *,
    address: str,
    browser: str | None,
    now: datetime,
    directories: Sequence[Directory],
    throttle: Throttle,
    sessions: Sessions,
    browser_tokens: BrowserTokens,
    record: Record,
    realms: Realms | None = None,
) -> SignInResult:
    """Check a user name and a password as typed, and open a session that is always a new one.

    `address` is the client's IP address; `browser` is the device cookie's value, if there is one.
    A name that says its realm goes to that directory alone; any other to all, in order.
    Every outcome is recorded before it is told. Raises SignInRefused, with the same words whatever
    the cause; TooManyAttempts; DirectoryUnavailable.
    """
    name = _readable(username, password)
    if name is None:
        record(
            "sign_in.refused", username=_shown(username), address=address, reason="malformed_input"
        )
        raise SignInRefused

    realms = realms or Realms()
    visit = _Visit(address, browser, now, throttle, browser_tokens)
    found = _ask(realms.asked(name, directories), name, realms.bare(name), password, visit)
    if found.person is None:
        record(
            "sign_in.refused",
            username=name,
            address=address,
            directory=found.directory,
            reason=found.reason,
        )
        raise found.refusal

    token, signed_in = sessions.open(found.person, ("password",), address, now)
    record(
        "sign_in.succeeded",
        username=found.person.username,
        address=address,
        directory=found.person.directory,
        directory_id=found.person.directory_id,
        person_id=signed_in.person_id,
    )
    known = browser if browser and browser_tokens.recognise(browser, found.counted) else None
    return SignInResult(token, signed_in, known or browser_tokens.issue(found.counted))


def _readable(username: str, password: str) -> str | None:
    """The user name to ask for, or None if no directory should see such input.

    An empty password stops here: an LDAP server would take it for an anonymous bind (RFC 4513
    section 5.1.2).
    """
    try:
        if len(username) > 4 * LONGEST_TYPED_NAME:
            return None
        name = prepared_username(username.strip(), LONGEST_TYPED_NAME)
        prepared_password(password)
    except (BadUsername, BadPassword):
        return None
    return name


def _ask(
    directories: Sequence[Directory], name: str, bare: str, password: str, visit: _Visit
) -> _Found:
    """The first directory that knows both wins.

    All are asked until then, so that a wrong password takes as long as an unknown user. If one of
    them is down and the others say no, its being down is the answer, again whoever is asked for.

    Each directory has counters of its own: people in two of them may have one name, and what one
    of them does must not use up, or buy, attempts at the other.
    """
    refusal = _Found(None, "", "unknown_user")
    down: DirectoryUnavailable | None = None
    throttled: TooManyAttempts | None = None
    failed: list[Attempt] = []
    for directory in directories:
        try:
            counting = _Counting(visit, directory.name, bare, network_too=not failed)
        except TooManyAttempts as problem:
            throttled = throttled or problem
            continue
        try:
            answer = directory.authenticate(name, password, counting.may_try)
        except PersonUnavailable as problem:
            failed += counting.attempts
            down = down or problem
            continue
        except DirectoryUnavailable as problem:
            counting.take_back()
            down = down or problem
            continue
        if answer.person is not None:
            counting.succeeded()
            if failed:
                visit.throttle.take_back(*failed)
            return _Found(answer.person, directory.name, "", counted=counting.name)
        failed += counting.attempts
        if answer.reason != "unknown_user" and refusal.reason == "unknown_user":
            refusal = _Found(None, directory.name, answer.reason)
    if throttled:
        return _Found(None, "", "throttled", throttled)
    if down:
        return _Found(None, down.directory, down.word, down)
    return refusal


class _Counting:
    """An attempt at one directory, counted before the password is looked at."""

    def __init__(self, visit: _Visit, directory: str, bare: str, *, network_too: bool) -> None:
        """Raises TooManyAttempts."""
        self._visit = visit
        self._directory = directory
        self._bare = bare
        self.name = f"{directory}\\{bare}"
        self._browser_id = visit.browser_tokens.recognise(visit.browser, self.name)
        self.attempts = [self._reserve(self.name, network_too)]

    def may_try(self, directory_id: str) -> bool:
        """Count under the identifier of the name's owner too, so that several names are no help.

        The directory alone knows that an e-mail address is somebody's. It asks before it looks at
        the password; a no is told to nobody but the audit trail, or it would say that the name is
        somebody's. For nobody ("") as much is written, so that it takes as long.
        """
        own = f"\0{directory_id}" if directory_id else f"{self._bare}\0"
        try:
            self.attempts.append(self._reserve(f"{self._directory}\\{own}", network_too=False))
        except TooManyAttempts:
            return False
        return True

    def succeeded(self) -> None:
        self._visit.throttle.record_success(*self.attempts)

    def take_back(self) -> None:
        self._visit.throttle.take_back(*self.attempts)

    def _reserve(self, name: str, network_too: bool) -> Attempt:
        visit = self._visit
        return visit.throttle.reserve(
            name, visit.address, self._browser_id, visit.now, network_too=network_too
        )


def _shown(username: str) -> str:
    """Any text as the audit row can hold it: cut, with everything invisible escaped."""
    return repr(username[:128])[1:-1]
