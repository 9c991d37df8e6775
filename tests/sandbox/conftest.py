"""A sandbox that serves on a free port, and an AWS account in it that is ready for sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest

from idp.sandbox.server import open_sandbox
from tests.sandbox.account import Account, Clock, Running


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """The sandbox in a thread of this process; the clock is the test's to set."""
    clock = Clock()
    server, address = open_sandbox(port=0, clock=clock)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Running(address, clock)
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def account(running: Running) -> Account:
    """A fresh account with the provider ExampleIdP and the role Developer that trusts it."""
    running.clock.reset()
    account = Account.fresh(running)
    account.create_provider()
    account.create_role("Developer")
    return account
