"""The `idp certs` commands on an installation, and what a rotation looks like from outside."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from click.testing import CliRunner, Result
from sqlalchemy import select, update

from idp.audit.verify import verify
from idp.aws.provider_content import read_content
from idp.cli.main import idp
from idp.db.models import AuditEventRow, RotationRow
from idp.entitlements.account import Account
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.store import all_keys
from tests.aws.installation import Installation
from tests.aws.running_sandbox import RunningSandbox


@dataclass(frozen=True)
class Rotating:
    """Three accounts, and the keys before anything happened."""

    installation: Installation
    sandbox: RunningSandbox
    accounts: list[Account]

    def certs(self, *words: str) -> Result:
        return CliRunner().invoke(idp, ["-c", str(self.installation.file), "certs", *words])

    def rotate(self, *words: str) -> Result:
        return self.certs("rotate", "--yes", *words)

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        result = self.certs("rotate", "--json", *words)
        assert result.exit_code == code, result.output
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    def refused(self, *words: str) -> str:
        """The sentence with which `idp certs …` ends with exit code 2."""
        result = self.certs(*words)
        if result.exit_code == 2:  # click's own refusals
            return result.output
        assert result.exception is not None, result.output
        assert not isinstance(result.exception, SystemExit), result.output
        return str(result.exception)

    @property
    def keys(self) -> list[SigningKey]:
        with self.installation.database.reading() as session:
            return list(all_keys(session))

    @property
    def states(self) -> list[str]:
        return [key.state.value for key in self.keys]

    @property
    def active(self) -> SigningKey:
        [key] = [key for key in self.keys if key.state is KeyState.ACTIVE]
        return key

    def held(self, account: Account) -> frozenset[str]:
        provider = self.sandbox.held(account.number)
        return read_content(provider.metadata.encode()).certificates if provider else frozenset()

    def end_overlap(self) -> None:
        """Let the overlap be over, as if the time had passed."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        with self.installation.database.writing() as session:
            session.execute(update(RotationRow).values(overlap_until=past))

    def trail(self) -> list[tuple[str, dict[str, Any]]]:
        """Type and detail of every event, of a chain that verifies."""
        assert verify(self.installation.database).finding is None
        with self.installation.database.reading() as session:
            rows = session.execute(
                select(AuditEventRow.type, AuditEventRow.detail).order_by(AuditEventRow.seq)
            )
            return [(kind, json.loads(detail)) for kind, detail in rows]


def start(rotating: Rotating, *words: str) -> Popen[str]:
    """`idp …` as a program of its own."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-m", "idp", "-c", str(rotating.installation.file), *words]
    return Popen(command, env=environment, stdout=PIPE, stderr=PIPE, text=True)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
