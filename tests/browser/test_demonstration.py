"""`make run` starts, tells, stops, and leaves nothing running."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import pytest

from tests.servers.demonstration import Demonstration

pytestmark = pytest.mark.xdist_group("browser")


def test_it_tells_where_to_go_and_ends_without_a_trace(tmp_path: Path) -> None:
    with Demonstration(tmp_path) as running:
        assert running.url in running.said
        assert "demo-password-ann" in running.said
        assert running.answers(running.url + "/sign-in")
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(timeout=20) == 0
    assert "Traceback" not in running.said
    assert "rror" not in running.said.split("Ctrl-C ends it")[1]
    assert not running.answers(running.url + "/sign-in")
    assert not running.answers(running.sandbox_url)


def test_nothing_is_left_even_if_it_is_killed_outright(tmp_path: Path) -> None:
    with Demonstration(tmp_path) as running:
        running.process.kill()
        running.process.wait()
        deadline = time.monotonic() + 20
        while running.answers(running.url + "/sign-in") or running.answers(running.sandbox_url):
            assert time.monotonic() < deadline, "a server outlived the command that started it"
            time.sleep(0.1)


def test_what_was_written_is_there_the_next_time(tmp_path: Path) -> None:
    with Demonstration(tmp_path):
        keys = sorted((tmp_path / "data" / "certs").iterdir())
    with Demonstration(tmp_path):
        assert sorted((tmp_path / "data" / "certs").iterdir()) == keys


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    running = Demonstration(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", running.port))
        taken.listen()
        with pytest.raises(RuntimeError), running:
            pass
    assert f"Port {running.port} on 127.0.0.1 is taken" in running.said
    assert "Traceback" not in running.said
    assert running.process.wait() == 2


def test_a_folder_that_can_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    running = Demonstration(tmp_path)
    with pytest.raises(RuntimeError), running:
        pass
    assert "Nothing can be written in the folder" in running.said
    assert "Traceback" not in running.said
    assert running.process.wait() == 2
