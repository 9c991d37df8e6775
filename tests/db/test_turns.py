"""Turns of SQLite's writers: nobody waits for ever, whatever becomes of whose turn it is."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from idp.db.direct import Statement
from idp.db.engine import Database
from idp.db.turns import Turns

HOLDER = """
import sys
from pathlib import Path
from idp.db.turns import Turns
with Turns(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.readline()
"""
TRY = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.sqlite3"


@pytest.fixture
def stopped(file: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that was stopped in the middle of its turn."""
    command = [sys.executable, "-c", HOLDER, str(file)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        holder.send_signal(signal.SIGSTOP)
        yield holder
        holder.kill()


def is_free(file: Path) -> bool:
    """Whether another process could have the turn."""
    command = [sys.executable, "-c", TRY, f"{file}-turn"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def take(turns: Turns) -> float:
    began = time.monotonic()
    with turns:
        return time.monotonic() - began


def test_a_stopped_process_keeps_the_others_for_a_while_only(
    file: Path, stopped: subprocess.Popen[str], caplog: pytest.LogCaptureFixture
) -> None:
    turns = Turns(file, patience=0.5)
    with ThreadPoolExecutor(4) as threads:
        waits = list(threads.map(lambda _: take(turns), range(4)))
    assert 0.4 < max(waits) < 5
    assert take(turns) < 0.4  # the others need not find out again
    assert "without taking turns" in caplog.text

    stopped.send_signal(signal.SIGCONT)
    stopped.communicate("go on\n", timeout=30)
    deadline = time.monotonic() + 30
    while not is_free(file):  # neither is it kept by the thread that waited for it
        assert time.monotonic() < deadline
    with turns:
        assert not is_free(file)
    assert is_free(file)
    turns.close()


def test_a_write_goes_on_without_the_turn(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    command = [sys.executable, "-c", HOLDER, str(path)]
    pipe = subprocess.PIPE
    database = Database(sqlite_url)
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        with database.direct.writing() as transaction:
            add = Statement("INSERT INTO secrets (name, value) VALUES (?, ?)")
            transaction.run(add, [("one", "1")])
        holder.communicate("go on\n", timeout=30)
    database.close()


def test_a_thread_that_keeps_its_turn_keeps_the_others_for_a_while_only(file: Path) -> None:
    turns = Turns(file, patience=0.3)
    with ThreadPoolExecutor(1) as threads:
        with turns, turns:
            assert 0.2 < threads.submit(take, turns).result(timeout=30) < 5
            assert not is_free(file)  # the other one did not end it
        assert is_free(file)
        assert threads.submit(take, turns).result(timeout=30) < 0.2
    turns.close()


INTERRUPTED = """
import os, signal, sys, threading
from pathlib import Path
from idp.db.turns import Turns
turns = Turns(Path(sys.argv[1]))
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    with turns:
        raise SystemExit("not interrupted")
except KeyboardInterrupt:
    pass
def take():
    with turns:
        print("taken", flush=True)
thread = threading.Thread(target=take, daemon=True)
print("interrupted", flush=True)
sys.stdin.readline()
thread.start()
thread.join(4)
"""


def test_one_who_is_interrupted_leaves_the_turn_to_other_threads(
    file: Path, stopped: subprocess.Popen[str]
) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(file)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "interrupted\n"
        stopped.send_signal(signal.SIGCONT)
        stopped.communicate("go on\n", timeout=30)
        assert writer.communicate("go on\n", timeout=30)[0] == "taken\n"
    assert writer.returncode == 0


FORKED = """
import os, sys, threading
from pathlib import Path
from idp.db.turns import Turns
turns, held, gate = Turns(Path(sys.argv[1]), patience=30), threading.Event(), threading.Event()
def hold():
    with turns:
        held.set()
        gate.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    with turns:
        os._exit(0)
threading.Timer(0.3, gate.set).start()
thread.join()
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_does_not_wait_for_its_parents_threads(file: Path) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, str(file)]
    began = time.monotonic()
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
    assert time.monotonic() - began < 25


def test_without_the_file_writers_go_on_and_say_so_once(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.with_name(file.name + "-turn").mkdir()
    turns = Turns(file)
    assert max(take(turns) for _ in range(3)) < 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    turns.close()


def test_without_locks_writers_go_on_and_say_so_once(
    file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", refuse)
    turns = Turns(file)
    assert max(take(turns) for _ in range(3)) < 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    turns.close()
