"""An installation with accounts in its database, and the idp command on it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from click.testing import CliRunner, Result
from sqlalchemy import select

from idp.cli.main import idp
from idp.db.engine import Database
from idp.db.models import AuditEventRow, SigningKeyRow
from idp.entitlements.account import Account, Accounts
from idp.entitlements.store import save_account, stored_accounts
from idp.keys.publication import publish_metadata
from idp.settings import Settings, load_settings
from tests.making import generate_key


@dataclass(frozen=True)
class Installation:
    """`file` is its settings file; its sandbox is the proxy."""

    file: Path
    settings: Settings
    database: Database

    @classmethod
    def make(cls, folder: Path, database_url: str, sandbox_url: str) -> Installation:
        file = folder / "idp.toml"
        file.write_text(
            f"data_folder = '{folder}'\n[database]\nurl = '{database_url}'\n"
            f"[keys]\nfolder = '{folder / 'certs'}'\n[aws]\nsandbox_url = '{sandbox_url}'\n"
        )
        made = cls(file, load_settings(file), Database(database_url))
        made.add_key()
        return made

    def add_key(self) -> str:
        """A further key, published beside the active one; gives its fingerprint."""
        with self.database.writing() as session:
            key = generate_key(session, self.settings, now=datetime.now(UTC), days=30)
        return key.fingerprint

    def set_key_state(self, fingerprint: str, state: str) -> None:
        with self.database.writing() as session:
            row = session.scalars(
                select(SigningKeyRow).where(SigningKeyRow.fingerprint == fingerprint)
            ).one()
            row.state = state

    def add_accounts(self, accounts: Iterable[Account]) -> None:
        with self.database.writing() as session:
            for account in accounts:
                save_account(session, account)

    def accounts(self) -> Accounts:
        with self.database.reading() as session:
            return stored_accounts(session)

    @property
    def metadata(self) -> bytes:
        with self.database.reading() as session:
            return publish_metadata(session, self.settings, datetime.now(UTC)).xml

    def run(self, *arguments: str) -> Result:
        """`idp aws …` in this process."""
        return CliRunner().invoke(idp, ["-c", str(self.file), "aws", *arguments])

    def json(self, *arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
        """What `idp aws … --json` prints, by account number."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == code, result.output
        return {row["number"]: row for row in json.loads(result.stdout)}

    def start(self, *arguments: str, output: int = PIPE) -> Popen[str]:
        """`idp aws …` as a program of its own; `output` may be a terminal's descriptor."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        command = [sys.executable, "-m", "idp", "-c", str(self.file), "aws", *arguments]
        return Popen(command, env=environment, stdout=output, stderr=output, text=True)

    def registered(self) -> list[tuple[str, dict[str, Any]]]:
        """Account and changes of every "aws.registered" in the audit trail, in order."""
        with self.database.reading() as session:
            rows = session.scalars(select(AuditEventRow.detail).order_by(AuditEventRow.seq))
            found = [json.loads(detail) for detail in rows]
        return [
            (each["subject"], each["changes"])
            for each in found
            if each.get("action") == "aws.registered"
        ]
