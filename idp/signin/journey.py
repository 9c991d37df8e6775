"""Signing in with a password, as one story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from idp.directory.interface import Directory, DirectoryUnavailable
from idp.directory.passwords import BadPassword, prepared_password
from idp.directory.person import Person
from idp.directory.usernames import BadUsername, prepared_username
from idp.errors import IdpError
from idp.signin.browser import BrowserTokens
from idp.signin.sessions import Sessions, SignedIn
from idp.signin.throttle import Throttle, TooManyAttempts

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
    down: DirectoryUnavailable | None = None
    judged: bool = True


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
) -> SignInResult:
    """Check a user name and a password as typed, and open a session that is always a new one.

    `address` is the client's IP address; `browser` is the device cookie's value, if there is one.
    Every outcome is recorded before it is told. Raises SignInRefused, with the same words whatever
    the cause; TooManyAttempts; DirectoryUnavailable.
    """
    name = _readable(username, password)
    if name is None:
        record(
            "sign_in.refused", username=_shown(username), address=address, reason="malformed_input"
        )
        raise SignInRefused

    browser_id = browser_tokens.recognise(browser, name)
    try:
        attempt = throttle.reserve(name, address, browser_id, now)
    except TooManyAttempts:
        record("sign_in.refused", username=name, address=address, reason="throttled")
        raise

    found = _ask(directories, name, password)
    if not found.judged:
        throttle.take_back(attempt)
    if found.person is None:
        record(
            "sign_in.refused",
            username=name,
            address=address,
            directory=found.directory,
            reason=found.reason,
        )
        raise found.down or SignInRefused()

    token, signed_in = sessions.open(found.person, ("password",), address, now)
    throttle.record_success(attempt)
    record(
        "sign_in.succeeded",
        username=found.person.username,
        address=address,
        directory=found.person.directory,
        directory_id=found.person.directory_id,
        person_id=signed_in.person_id,
    )
    known = browser if browser and browser_id else browser_tokens.issue(name)
    return SignInResult(token, signed_in, known)


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


def _ask(directories: Sequence[Directory], name: str, password: str) -> _Found:
    """The first directory that knows both wins.

    All are asked until then, so that a wrong password takes as long as an unknown user. If one of
    them is down and the others say no, its being down is the answer, again whoever is asked for.
    """
    refusal = _Found(None, "", "unknown_user")
    down: DirectoryUnavailable | None = None
    judged = False
    for directory in directories:
        try:
            answer = directory.authenticate(name, password)
        except DirectoryUnavailable as problem:
            down = down or problem
            continue
        judged = True
        if answer.person is not None:
            return _Found(answer.person, directory.name, "")
        if answer.reason != "unknown_user" and refusal.reason == "unknown_user":
            refusal = _Found(None, directory.name, answer.reason)
    if down:
        return _Found(None, down.directory, "directory_unavailable", down, judged)
    return refusal


def _shown(username: str) -> str:
    """Any text as the audit row can hold it: cut, with everything invisible escaped."""
    return repr(username[:128])[1:-1]
