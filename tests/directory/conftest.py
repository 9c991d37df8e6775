"""A local directory with the cheapest Argon2 that the settings allow."""

from __future__ import annotations

import pytest

from idp.db.engine import Database
from idp.directory.local import LocalDirectory
from idp.directory.passwords import Passwords
from idp.settings import SignInSettings


@pytest.fixture(scope="session")
def cheap() -> SignInSettings:
    return SignInSettings(argon2_memory_kib=8192, argon2_passes=1)


@pytest.fixture
def passwords(cheap: SignInSettings) -> Passwords:
    return Passwords(cheap)


@pytest.fixture
def local(database: Database, passwords: Passwords) -> LocalDirectory:
    return LocalDirectory(database, passwords)


@pytest.fixture
def local_on_sqlite(sqlite: Database, passwords: Passwords) -> LocalDirectory:
    return LocalDirectory(sqlite, passwords)
