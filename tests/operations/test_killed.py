"""SIGKILL under load, many times: what the browser was shown stands in the audit trail."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.operations.conftest import company_settings
from tests.operations.load import Load
from tests.operations.node import Answer, Browser, Node
from tests.operations.trail import assert_whole, chain

pytestmark = pytest.mark.xdist_group("heavy")

ROLE = "arn:aws:iam::111122223333:role/Developer"
ROUNDS = 8


def test_no_acknowledged_row_is_lost(tmp_path: Path, database_url: str) -> None:
    settings = company_settings(tmp_path, database_url)
    node = Node(tmp_path / "node", settings=settings)
    shown: set[str] = set()
    with node:
        people = [node.browser() for _ in range(3)]
        tokens = [_signed_in(person) for person in people]

        def opening(number: int) -> Answer:
            return people[number].open_role(ROLE, tokens[number])

        for number in range(ROUNDS):
            with Load(*[lambda own=own: opening(own) for own in range(3)]) as load:
                load.wait_for(15)
                if number % 2:
                    node.kill(workers_too=True)
                else:
                    os.kill(sorted(node.workers())[0], signal.SIGKILL)
                    load.wait_for(15)  # the other worker goes on, and a new one comes
            shown |= {answer.assertion_id for answer in load.answers}
            # Nobody has to sign in again, not even after the whole server died.
            assert {answer.status for answer in load.answers} == {200}
            if number % 2:
                assert shown <= {row.assertion_id for row in chain(database_url)}
                node.start()
        assert node.browser().get("/readyz").status == 200
        verified = node.command("audit", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    rows = chain(database_url)
    assert_whole(rows)
    assert "" not in shown
    assert shown <= {row.assertion_id for row in rows}
    assert len(shown) >= ROUNDS * 15


def _signed_in(person: Browser) -> str:
    assert person.sign_in("bob").status == 303
    return person.token("/")
