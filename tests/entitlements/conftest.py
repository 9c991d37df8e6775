"""An installation with a database of its own, for the tests of commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner, Result

from idp.cli.main import idp
from idp.db.engine import Database
from idp.directory.local import LocalDirectory
from idp.directory.passwords import Passwords
from idp.settings import SignInSettings


@pytest.fixture
def command(sqlite_url: str, tmp_path: Path) -> Callable[..., Result]:
    """Runs `idp` with these arguments; a refusal is `result.exception`, as `run` would catch it."""
    settings = tmp_path / "idp.toml"
    settings.write_text(
        f"data_folder = '{tmp_path}'\n[database]\nurl = '{sqlite_url}'\n"
        "[sign_in]\nargon2_memory_kib = 8192\nargon2_passes = 1\n"
    )

    def call(*arguments: str, input: str | IO[bytes] | None = None) -> Result:
        return CliRunner().invoke(idp, ["-c", str(settings), *arguments], input=input)

    return call


@pytest.fixture
def people(sqlite_url: str) -> Iterator[LocalDirectory]:
    """The local directory of that installation: ann and bob are developers, cy is nothing."""
    database = Database(sqlite_url)
    directory = LocalDirectory(
        database, Passwords(SignInSettings(argon2_memory_kib=8192, argon2_passes=1))
    )
    now = datetime(2026, 11, 23, tzinfo=UTC)
    for name, groups in (("ann", ["developers"]), ("bob", ["developers", "ops"]), ("cy", [])):
        directory.add(name, now=now, groups=groups, attributes={"department": ["Engineering"]})
    yield directory
    database.close()
