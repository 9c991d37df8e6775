"""An installation with AWS accounts in a sandbox behind a proxy that can spoil calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.entitlements.account import Account
from tests.aws.conftest import numbers, proxy, sandbox
from tests.aws.faulty_proxy import FaultyProxy
from tests.aws.installation import Installation
from tests.aws.running_sandbox import RunningSandbox
from tests.rotation.commands import Rotating

__all__ = ["numbers", "proxy", "sandbox"]


@pytest.fixture
def accounts(numbers: Iterator[int]) -> list[Account]:
    return [
        Account(str(next(numbers)), alias, "aws", "ExampleIdP") for alias in ("dev", "prod", "test")
    ]


@pytest.fixture
def installation(
    tmp_path: Path, sqlite_url: str, proxy: FaultyProxy, accounts: list[Account]
) -> Iterator[Installation]:
    """Three accounts, registered with an active key."""
    made = Installation.make(tmp_path, sqlite_url, proxy.address)
    made.add_accounts(accounts)
    assert made.run("register", "--all").exit_code == 0
    yield made
    made.database.close()


@pytest.fixture
def rotating(
    installation: Installation, sandbox: RunningSandbox, accounts: list[Account]
) -> Rotating:
    return Rotating(installation, sandbox, accounts)
