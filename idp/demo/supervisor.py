"""Running the sandbox and the identity provider side by side, and ending both together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from idp.errors import IdpError

PATIENCE = 30.0  # seconds for a server to answer its first request


class ServerStopped(IdpError):
    """A server of the demonstration ended by itself."""


class Supervisor:
    """Starts commands of this project and ends them all when it is left, however it is left.

    Each child reads a pipe that only this process holds open, so it ends even if this process is
    killed outright.
    """

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Supervisor:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _leave)
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children.values():
            child.terminate()
        for child in self._children.values():
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()

    def start(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], address: str
    ) -> None:
        """Start `idp ARGUMENTS` and wait until `address` answers. Raises ServerStopped."""
        command = [sys.executable, "-m", "idp", *arguments, "--with-parent"]
        self.start_program(name, command, environment, lambda: _answers(address))

    def start_program(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        answers: Callable[[], bool],
    ) -> None:
        """Start any program and wait until it answers. Raises ServerStopped."""
        self._children[name] = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches this process alone, which ends the others
        )
        deadline = time.monotonic() + PATIENCE
        while not answers():
            self._require_running(name)
            if time.monotonic() > deadline:
                raise ServerStopped(f"The {name} does not answer.", "Try again.")
            time.sleep(0.05)

    def wait(self) -> None:
        """Return when a signal asks for the end; raise ServerStopped if a server ends before."""
        while True:
            for name in self._children:
                self._require_running(name)
            time.sleep(0.5)

    def _require_running(self, name: str) -> None:
        if self._children[name].poll() is not None:
            raise ServerStopped(f"The {name} stopped.", "Its last words stand above.")


class AskedToLeave(Exception):
    """Ctrl-C, or SIGTERM."""


def _leave(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # once is enough, the end must not be interrupted
    raise AskedToLeave


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status < 500)
    except OSError:
        return False
