"""A sandbox AWS behind a proxy that can spoil calls, and metadata to register there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Thread

import pytest

from idp.sandbox.app import Sandbox
from idp.sandbox.server import open_sandbox
from tests.aws.encrypted_account import EncryptedAccount
from tests.aws.faulty_proxy import FaultyProxy, faulty_proxy
from tests.aws.installation import Installation
from tests.aws.running_sandbox import RunningSandbox

_numbers = count(600000000001)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[RunningSandbox]:
    server, address = open_sandbox(port=0)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    assert isinstance(server.app, Sandbox)
    yield RunningSandbox(address, server.app.providers)
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def proxy(sandbox: RunningSandbox) -> Iterator[FaultyProxy]:
    with faulty_proxy(sandbox.address) as running:
        yield running


@pytest.fixture
def numbers() -> Iterator[int]:
    """Account numbers that no other test uses."""
    return _numbers


@pytest.fixture
def number() -> str:
    return str(next(_numbers))


@pytest.fixture(autouse=True)
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without settings and AWS configuration; gives the folder for the latter."""
    folder = tmp_path / "dot-aws"
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith(("AWS_", "IDP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return folder


@pytest.fixture
def dev(
    tmp_path: Path, sqlite_url: str, sandbox: RunningSandbox, proxy: FaultyProxy, number: str
) -> Iterator[EncryptedAccount]:
    """The account dev with two roles; its API is behind the proxy, the sign-in pages are not."""
    made = Installation.make(tmp_path, sqlite_url, sandbox.address)
    yield EncryptedAccount.make(made, sandbox, proxy, number)
    made.database.close()


@pytest.fixture
def installation(tmp_path: Path, sqlite_url: str, proxy: FaultyProxy) -> Iterator[Installation]:
    """An installation with one key and no account; its sandbox is behind the proxy."""
    made = Installation.make(tmp_path, sqlite_url, proxy.address)
    yield made
    made.database.close()
