"""Twenty accounts, a server with real workers, and people who sign in and redeem at STS."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from sqlalchemy import update

from idp.aws.arn import RoleArn
from idp.aws.iam import AccountTarget, Reach, open_account
from idp.aws.provider_content import read_content
from idp.aws.registration import held_provider
from idp.db.engine import Database
from idp.db.models import RotationRow
from idp.demo.sandbox_accounts import register_accounts
from idp.directory.local import LocalDirectory
from idp.directory.passwords import Passwords
from idp.entitlements.account import Account, Accounts
from idp.entitlements.rules_file import parse_rules
from idp.entitlements.store import apply_rules, save_account
from idp.keys.publication import publish_metadata
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.store import all_keys
from idp.settings import Settings
from tests.company import FAST, PASSWORD
from tests.making import generate_key
from tests.operations.node import PATIENCE, PROJECT, Answer, Browser, Node
from tests.servers.postgresql import free_port

NUMBER_OF_ACCOUNTS = 20
# Everybody signs in anew after so many roles.
ROLES_PER_SIGN_IN = 10


@contextmanager
def sandbox_process() -> Iterator[str]:
    """A sandbox in a process of its own; gives its address."""
    port = free_port()
    command = [sys.executable, "-m", "idp", "sandbox", "--quiet", "--port", str(port)]
    process = subprocess.Popen([*command, "--with-parent"], cwd=PROJECT, stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _listens(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _listens(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()


@dataclass
class LoadCompany:
    """`sandbox` is where people redeem; `node` serves the pages."""

    sandbox: str
    node: Node
    database: Database
    accounts: list[Account]

    @classmethod
    def make(cls, folder: Path, database_url: str, sandbox: str) -> LoadCompany:
        node = Node(
            folder / "node",
            settings={
                "database": {"url": database_url},
                "keys": {"folder": str(folder / "certs"), "encryption": "none"},
                "aws": {"sandbox_url": sandbox},
                "sign_in": {**FAST, "failures_per_network": 10_000, "failures_per_person": 10_000},
            },
        )
        settings = Settings.model_validate(
            {
                "organization": "Example Corp",
                "data_folder": folder,
                "database": {"url": database_url},
                "keys": {"folder": folder / "certs", "encryption": "none"},
                "server": {"base_url": node.base_url, "port": node.port},
                "aws": {"sandbox_url": sandbox},
                "sign_in": FAST,
            }
        )
        accounts = [
            Account(f"8000000000{number:02}", f"account-{number:02}", "aws", "ExampleIdP")
            for number in range(NUMBER_OF_ACCOUNTS)
        ]
        number = accounts[3].number
        probe = RoleArn("aws", number, "Probe")
        accounts[3] = Account(number, "account-03", "aws", "ExampleIdP", probe_role=str(probe))
        made = cls(sandbox, node, Database(database_url), accounts)
        roles = [RoleArn("aws", each.number, "Developer") for each in accounts]
        names = ", ".join(f'"{each.alias}"' for each in accounts)
        rules = (
            f'[[rule]]\nname = "developers"\ngroups = ["developers"]\nrole = "Developer"\n'
            f'accounts = [{names}]\nduration = "1h"\n'
        )
        now = datetime.now(UTC)
        with made.database.writing() as session:
            generate_key(session, settings, now=now)
            for each in accounts:
                save_account(session, each)
            apply_rules(session, parse_rules(rules.encode(), Accounts(accounts)))
            metadata = publish_metadata(session, settings, now).xml
        directory = LocalDirectory(made.database, Passwords(settings.sign_in))
        for username in ("ann", "bob", "cleo"):
            directory.add(
                username,
                display_name=username.title(),
                email=f"{username}@corp.example",
                groups=["developers"],
                attributes={},
                password=PASSWORD,
                now=now,
            )
        register_accounts(sandbox, metadata, accounts, [*roles, probe])
        return made

    @property
    def keys(self) -> list[SigningKey]:
        with self.database.reading() as session:
            return list(all_keys(session))

    @property
    def states(self) -> list[str]:
        return [key.state.value for key in self.keys]

    @property
    def active(self) -> SigningKey:
        [key] = [key for key in self.keys if key.state is KeyState.ACTIVE]
        return key

    def held(self) -> set[frozenset[str]]:
        """Which sets of certificates the accounts hold; one set if all hold the same."""
        found = set()
        for each in self.accounts:
            with open_account(AccountTarget(each.provider), Reach(self.sandbox)) as opened:
                provider = held_provider(opened, each.provider)
            assert provider
            found.add(read_content(provider.document).certificates)
        return found

    def end_overlap(self) -> None:
        """Let the overlap be over, as if the time had passed."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        with self.database.writing() as session:
            session.execute(update(RotationRow).values(overlap_until=past))

    @contextmanager
    def executioner(self) -> Iterator[Callable[..., int]]:
        """A function that runs `idp certs rotate WORDS` until a boundary, where it is killed; it
        gives the exit code.
        """
        with subprocess.Popen(
            [sys.executable, "-m", "tests.rotation.dying"],
            cwd=PROJECT,
            env=self.node.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin
            assert process.stdout
            requests, answers = process.stdin, process.stdout

            def killed_at(boundary: str, *words: str) -> int:
                requests.write(json.dumps([boundary, "certs", "rotate", "--yes", *words]) + "\n")
                requests.flush()
                return int(answers.readline())

            yield killed_at
            requests.close()


@dataclass
class Visitor:
    """Somebody who opens roles in turn and redeems each assertion at STS at once.

    `signed_by` counts assertions by the fingerprint of the key that signed them.
    """

    company: LoadCompany
    username: str
    signed_by: Counter[str] = field(default_factory=Counter)
    assertions: list[str] = field(default_factory=list)
    _browser: Browser | None = None
    _token: str = ""
    _turn: int = 0

    def __call__(self) -> Answer:
        """One sign-in to one account, start to end. Raises AssertionError if it fails.

        While nobody listens, because the server is started anew, a person tries again.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._visit()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def _visit(self) -> Answer:
        if self._browser is None or self._turn % ROLES_PER_SIGN_IN == 0:
            self._browser = self.company.node.browser()
            assert self._browser.sign_in(self.username).status == 303
            self._token = self._browser.token("/")
        self._turn += 1
        account = random.choice(self.company.accounts)
        role = f"arn:aws:iam::{account.number}:role/Developer"
        page = self._browser.open_role(role, self._token)
        found = re.search(r'name="SAMLResponse" value="([^"]+)"', page.text)
        assert found, f"{page.status}: {page.text[-300:]}"
        response = html.unescape(found[1])
        status, said = self._redeem(role, str(account.provider), response)
        assert status == 200, f"{account.alias}: {status} {said[:300]}"
        self.signed_by[_signer(response)] += 1
        self.assertions.append(page.assertion_id)
        return page

    def _redeem(self, role: str, provider: str, response: str) -> tuple[int, str]:
        place = urlsplit(self.company.sandbox)
        connection = HTTPConnection(place.hostname or "", place.port, timeout=60)
        fields = {
            "Action": "AssumeRoleWithSAML",
            "Version": "2011-06-15",
            "RoleArn": role,
            "PrincipalArn": provider,
            "SAMLAssertion": response,
        }
        try:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/", urlencode(fields), kind)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def _signer(response: str) -> str:
    xml = base64.b64decode(response)
    found = re.search(rb"X509Certificate>([^<]+)<", xml)
    assert found
    return hashlib.sha256(base64.b64decode(found[1])).hexdigest()
