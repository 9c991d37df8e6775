"""`idp sandbox` as a program."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from idp.sandbox.app import NotLoopback, create_sandbox
from tests.sandbox.account import post

PROGRAM = [sys.executable, "-m", "idp", "sandbox"]


def test_prints_its_address_and_ends_with_its_parent() -> None:
    running = subprocess.Popen(
        [*PROGRAM, "--port", "0", "--with-parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        assert running.stdout is not None
        assert running.stdin is not None
        first = running.stdout.readline()
        address = next(word for word in first.split() if word.startswith("http://127.0.0.1:"))
        assert post(address, "/", "", method="GET").status == 200
        running.stdin.close()
        assert running.wait(30) == 0


def test_ends_at_a_signal() -> None:
    with subprocess.Popen(
        [*PROGRAM, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline()
        running.terminate()
        assert running.wait(30) == 0


def refusal(*arguments: str) -> str:
    done = subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_taken_port_is_one_clear_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refusal("--port", str(port))
    assert f"Port {port} on 127.0.0.1 is taken by another program." in said
    assert "--port" in said
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_listens_on_loopback_only(host: str) -> None:
    assert "hand out credentials to the network" in refusal("--host", host, "--port", "0")


@pytest.mark.parametrize("address", ["http://10.0.0.1:8081", "https://idp.example.com", "x"])
def test_an_address_elsewhere_is_refused(address: str) -> None:
    with pytest.raises(NotLoopback):
        create_sandbox(address)


def test_says_what_to_install_when_moto_is_missing(tmp_path: Path) -> None:
    (tmp_path / "moto").mkdir()
    (tmp_path / "moto" / "__init__.py").write_text("raise ImportError('no moto', name='moto')\n")
    done = subprocess.run(
        [*PROGRAM, "--port", "0"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "pip install 'idp[sandbox]'" in done.stderr
