"""The demonstration as `make run` starts it, on free ports and in a folder of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.servers.postgresql import free_port

ROOT = Path(__file__).parents[2]


@dataclass
class Demonstration:
    """Starts at entry; leaving sends it Ctrl-C's signal and waits for the end."""

    folder: Path
    directory: str = "local"

    def __post_init__(self) -> None:
        self.port = free_port()
        self.sandbox_port = free_port()
        self.ldap_port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def said(self) -> str:
        """All that it printed."""
        return (self.folder / "output").read_text()

    def __enter__(self) -> Demonstration:
        command = [sys.executable, "-m", "idp", "demo", "--data", str(self.folder / "data")]
        command += ["--port", str(self.port), "--sandbox-port", str(self.sandbox_port)]
        command += ["--directory", self.directory, "--ldap-port", str(self.ldap_port)]
        environment = {name: text for name, text in os.environ.items() if name[:4] != "IDP_"}
        with (self.folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while "Ctrl-C ends it" not in self.said:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the demonstration did not start:\n{self.said}")
            time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=30)

    def answers(self, url: str) -> bool:
        """Whether anything listens there."""
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            return False
        return True

    def answers_tcp(self, port: int) -> bool:
        """Whether anything takes connections at that port."""
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
        except OSError:
            return False
        return True
