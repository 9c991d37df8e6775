"""A running server whose key is in a token or in KMS, while that goes away and comes back."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from idp.keys.token_session import close_sessions
from tests.company import FAST, make_company
from tests.operations.node import Answer, Browser, Node
from tests.servers.kms import Kms
from tests.servers.softhsm import PIN, SoftHsm

pytestmark = pytest.mark.xdist_group("heavy")

ROLE = "arn:aws:iam::111122223333:role/Developer"
PAGE = "The signing key can&#39;t be used just now"


def served(folder: Path, url: str, custody: str, keys: dict[str, Any]) -> Node:
    """A company's server with two workers, not started yet."""
    made = make_company(folder, url, datetime.now(UTC), custody=custody, keys=keys)
    made.parts.database.close()
    close_sessions()
    plenty = {"failures_per_network": 10_000, "failures_per_person": 10_000}
    settings = {"database": {"url": url}, "keys": keys, "sign_in": {**FAST, **plenty}}
    return Node(folder / "node", settings=settings)


class Person:
    """Somebody signed in, who opens a role again and again."""

    def __init__(self, node: Node) -> None:
        self.browser: Browser = node.browser()
        assert self.browser.sign_in("bob").status == 303
        self.token = self.browser.token("/")
        self.waited = 0.0

    def open(self) -> Answer:
        began = time.monotonic()
        answer = self.browser.open_role(ROLE, self.token)
        self.waited = time.monotonic() - began
        return answer


def soon(ask: Callable[[], int], wanted: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while (found := ask()) != wanted:
        assert time.monotonic() < deadline, f"{found}, not {wanted}"
        time.sleep(0.1)


def readiness(node: Node) -> int:
    return node.browser().get("/readyz").status


def test_a_token_that_is_away_a_wrong_pin_and_workers_that_die(
    softhsm: SoftHsm, tmp_path: Path, sqlite_url: str
) -> None:
    keys = {"folder": str(tmp_path / "certs"), "pkcs11": softhsm.settings()}
    with served(tmp_path, sqlite_url, "pkcs11", keys) as node:
        person = Person(node)
        assert [person.open().status for _ in range(10)] == [200] * 10
        assert readiness(node) == 200

        with softhsm.away():
            for _ in range(10):
                answer = person.open()
                assert (answer.status, answer.assertion_id) == (503, "")
                assert person.waited < 2
            assert PAGE in answer.text
            assert str(softhsm.module) not in answer.text
            soon(lambda: readiness(node), 503)
            # A worker that begins now serves what it can.
            os.kill(min(node.workers()), signal.SIGKILL)
            node.wait_for_log("starting without the signing key")
            assert person.browser.get("/").status == 200
        soon(lambda: max(person.open().status for _ in range(10)), 200)  # both workers
        soon(lambda: readiness(node), 200)

        softhsm.write_pin("31415926")
        for worker in node.workers():
            os.kill(worker, signal.SIGKILL)
        soon(lambda: int("refuses the PIN" in node.log_file.read_text()), 1)
        softhsm.elsewhere("00", "")  # a good login, which clears the token's note of a bad one
        before = softhsm.token_content()
        time.sleep(2.5)  # new workers are tried meanwhile, one a second
        assert softhsm.token_content() == before, "the wrong PIN was tried again"
        softhsm.write_pin(PIN)
        soon(lambda: person.open().status, 200)
        soon(lambda: readiness(node), 200)

        said = node.log_file.read_text() + _command_lines(node)
        assert PIN not in said
        assert "31415926" not in said
        for worker in node.workers():
            assert re.search(
                r"^Max core file size +0 +0 ", Path(f"/proc/{worker}/limits").read_text(), re.M
            )
        assert node.stop() == 0


def _command_lines(node: Node) -> str:
    processes = [node.process.pid, *node.workers()]
    return "".join(Path(f"/proc/{each}/cmdline").read_text() for each in processes)


def test_a_kms_that_freezes_stops_signing_and_nothing_else(
    kms: Kms, tmp_path: Path, sqlite_url: str
) -> None:
    own = kms.settings(answer_seconds=2, total_seconds=2.5)
    keys = {"folder": str(tmp_path / "certs"), "kms": own}
    with served(tmp_path, sqlite_url, "kms", keys) as node:
        person = Person(node)
        assert [person.open().status for _ in range(6)] == [200] * 6
        with kms.frozen():
            waits = []
            for _ in range(12):
                answer = person.open()
                assert answer.status == 503
                waits.append(person.waited)
                began = time.monotonic()
                assert person.browser.get("/").status == 200
                assert time.monotonic() - began < 2
            assert max(waits) < 4
            assert sorted(waits)[6] < 1, "most are refused at once"
            assert PAGE in answer.text
            assert "arn:aws:kms" not in answer.text
            assert node.browser().get("/healthz").status == 200
            soon(lambda: readiness(node), 503)
            line = node.wait_for_log("signing key unusable")
            assert "AWS KMS does not answer" in line["reason"]
        soon(lambda: person.open().status, 200)
        soon(lambda: readiness(node), 200)


def test_a_server_does_not_start_on_what_will_not_mend_itself(
    softhsm: SoftHsm, tmp_path: Path, sqlite_url: str
) -> None:
    keys = {"folder": str(tmp_path / "certs"), "pkcs11": softhsm.settings()}
    node = served(tmp_path, sqlite_url, "pkcs11", keys)
    softhsm.write_pin("31415926")
    done = node.command("serve")
    assert done.returncode == 2
    assert "refuses the PIN" in done.stderr
    assert "Traceback" not in done.stderr
    softhsm.write_pin(PIN)
    node.write_settings(keys={**keys, "pkcs11": softhsm.settings(module="/no/such/module.so")})
    done = node.command("check")
    assert done.returncode == 1
    assert "/no/such/module.so can't be used" in done.stdout
    assert done.stderr == ""
