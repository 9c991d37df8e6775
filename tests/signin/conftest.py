"""Everything a sign-in needs, with the cheapest Argon2 that the settings allow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from idp.db.engine import Database
from idp.directory.interface import Directory
from idp.directory.local import LocalDirectory
from idp.directory.passwords import Passwords
from idp.settings import SessionSettings, SignInSettings
from idp.signin.browser import BrowserTokens
from idp.signin.journey import SignInResult, sign_in
from idp.signin.sessions import Sessions
from idp.signin.throttle import Throttle

GOOD = "correct horse battery"


@dataclass
class House:
    """The parts of a sign-in, and what they recorded."""

    database: Database
    passwords: Passwords
    local: LocalDirectory
    throttle: Throttle
    sessions: Sessions
    browser_tokens: BrowserTokens
    now: datetime
    directories: list[Directory]
    events: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def sign_in(
        self, username: str, password: str, address: str = "192.0.2.1", browser: str | None = None
    ) -> SignInResult:
        return sign_in(
            username,
            password,
            address=address,
            browser=browser,
            now=self.now,
            directories=self.directories,
            throttle=self.throttle,
            sessions=self.sessions,
            browser_tokens=self.browser_tokens,
            record=self.record,
        )

    def record(self, event: str, **details: str) -> None:
        self.events.append((event, details))


@pytest.fixture
def build(now: datetime) -> Callable[[Database], House]:
    def build(database: Database) -> House:
        settings = SignInSettings(argon2_memory_kib=8192, argon2_passes=1)
        passwords = Passwords(settings)
        local = LocalDirectory(database, passwords)
        local.add("ann", now=now, password=GOOD, groups=["admins"])
        local.add("bob", now=now, password=GOOD)
        local.disable("bob", now)
        return House(
            database,
            passwords,
            local,
            Throttle(database, settings),
            Sessions(database, SessionSettings()),
            BrowserTokens(b"0123456789abcdef" * 2),
            now,
            [local],
        )

    return build


@pytest.fixture
def house(build: Callable[[Database], House], database: Database) -> House:
    return build(database)


@pytest.fixture
def small_house(build: Callable[[Database], House], sqlite: Database) -> House:
    return build(sqlite)
