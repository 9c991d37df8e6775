"""Starting, reloading, ending and being killed, with real processes and open connections."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.operations.load import Load
from tests.operations.node import (
    PATIENCE,
    Node,
    wait_until_free,
    wait_until_gone,
)

pytestmark = pytest.mark.xdist_group("heavy")


class HalfSentRequest:
    """A sign-in that the server is already reading, and that is not complete yet."""

    def __init__(self, node: Node) -> None:
        browser = node.browser()
        self._body = (
            f"username=nobody&password=wrong&csrf_token={browser.token()}&x=" + "y" * 500
        ).encode()
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        head = (
            f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1:{node.port}\r\n"
            f"Referer: {node.base_url}/\r\nCookie: {cookies}\r\nExpect: 100-continue\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(self._body)}\r\n\r\n"
        )
        self._socket = socket.create_connection(("127.0.0.1", node.port), timeout=PATIENCE)
        self._socket.sendall(head.encode())
        # The server says so when the application begins to read the form.
        assert self._socket.recv(100).startswith(b"HTTP/1.1 100")

    def finish(self) -> bytes:
        self._socket.sendall(self._body)
        answer = b""
        with self._socket:
            while received := self._socket.recv(65536):
                answer += received
        return answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_after_the_running_requests(node: Node, number: signal.Signals) -> None:
    workers = node.workers()
    request = HalfSentRequest(node)
    os.killpg(node.process.pid, number)  # Ctrl-C reaches the whole group of a terminal
    node.wait_for_log("Shutting down")
    answer = request.finish()
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"</html>" in answer
    assert node.process.wait(timeout=PATIENCE) == 0
    wait_until_gone(workers)
    wait_until_free(node.port)


def test_reloads_settings_under_load_without_one_failed_request(node: Node) -> None:
    before = node.workers()
    with Load(*[lambda: node.browser().get("/sign-in")] * 4) as load:
        load.wait_for(20)
        for round_number in range(3):
            node.write_settings(organization=f"Renamed {round_number}")
            node.process.send_signal(signal.SIGHUP)
            _wait_for_reloads(node, round_number + 1)
            load.wait_for(20)
    assert load.failures == []
    assert {answer.status for answer in load.answers} == {200}
    assert node.workers().isdisjoint(before)
    assert len(node.workers()) == 2
    for _ in range(6):
        assert "Renamed 2" in node.browser().get("/sign-in").text


def test_a_request_that_began_before_a_reload_is_answered(node: Node) -> None:
    request = HalfSentRequest(node)
    node.process.send_signal(signal.SIGHUP)
    node.wait_for_log("reloading")
    time.sleep(1)  # the old worker is told to leave meanwhile
    assert request.finish().startswith(b"HTTP/1.1 401")
    node.wait_for_log("reloaded")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("organization = \n", "is not valid TOML"),
        ("[server]\nprot = 1\n", "server.prot"),
        ('data_folder = "elsewhere"\n[database]\nurl = "nonsense"\n', "database.url"),
    ],
)
def test_settings_that_can_not_be_used_change_nothing(node: Node, broken: str, said: str) -> None:
    before = node.workers()
    whole = node.config.read_text()
    node.config.write_text(broken)
    node.process.send_signal(signal.SIGHUP)
    assert said in node.wait_for_log("not reloaded")["reason"]
    assert node.workers() == before
    assert node.browser().get("/sign-in").status == 200
    node.config.write_text(whole)
    node.process.send_signal(signal.SIGHUP)
    _wait_for_reloads(node, 1)


def test_names_the_settings_that_need_a_restart(node: Node) -> None:
    node.write_settings(server={"workers": 3})
    node.process.send_signal(signal.SIGHUP)
    assert node.wait_for_log("some settings")["settings"] == ["server.workers"]
    _wait_for_reloads(node, 1)


def test_workers_end_when_the_server_is_killed_and_it_starts_again(node: Node) -> None:
    workers = node.workers()
    assert len(workers) == 2
    node.kill()  # returns when the workers are gone too
    wait_until_free(node.port)
    node.start()
    assert node.browser().get("/sign-in").status == 200


def test_killed_workers_are_replaced_however_often(node: Node) -> None:
    for _ in range(3):
        for worker in node.workers():
            os.kill(worker, signal.SIGKILL)
        _wait_for_workers(node, 2)
        assert node.browser().get("/readyz").status == 200
    assert node.process.poll() is None


def test_refuses_a_port_that_is_taken(node: Node, tmp_path: Path, settings: Any) -> None:
    second = Node(tmp_path / "second", settings=settings, port=node.port)
    refused = second.command("serve")
    assert refused.returncode == 2
    assert f"Port {node.port} on 127.0.0.1 is taken" in refused.stderr


def _wait_for_reloads(node: Node, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while sum(line["event"] == "reloaded" for line in node.log()) < count:
        assert time.monotonic() < deadline, node.log_file.read_text()
        time.sleep(0.05)


def _wait_for_workers(node: Node, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(node.workers()) != count:
        assert time.monotonic() < deadline, node.log_file.read_text()
        time.sleep(0.05)
