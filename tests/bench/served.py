"""`idp serve` as a process of its own, with the settings as they are shipped."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.bench.machine import pss_mb, tree
from tests.servers.postgresql import free_port


class NotServing(Exception):
    """The server ended, or did not answer in time."""


@dataclass
class Served:
    """Starts at entry, ends at exit, and ends by itself if we are killed.

    `database_url` "" is SQLite in `folder`; `workers` 0 is as many as shipped; `more` are further
    variables of the environment.
    """

    folder: Path
    database_url: str = ""
    workers: int = 0
    more: Mapping[str, str] = field(default_factory=dict)

    def __enter__(self) -> Served:
        self.port = free_port()
        environment = {name: text for name, text in os.environ.items() if name[:4] != "IDP_"}
        environment |= {**settings_of(self.folder, self.database_url), **self.more}
        environment["IDP_SERVER__BASE_URL"] = f"http://127.0.0.1:{self.port}"
        environment["IDP_SERVER__PORT"] = str(self.port)
        if self.workers:
            environment["IDP_SERVER__WORKERS"] = str(self.workers)
        began = time.perf_counter()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "idp", "serve", "--with-parent"],
                cwd=self.folder,  # where no settings file lies
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            while not self._answers():
                if self._process.poll() is not None or time.perf_counter() - began > 60:
                    raise NotServing((self.folder / "log").read_text()[-2000:])
                time.sleep(0.005)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.start_seconds = time.perf_counter() - began
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def memory_mb(self) -> tuple[float, int]:
        """PSS of all processes of the server, and how many they are."""
        pids = list(tree(self._process.pid))
        return pss_mb(pids), len(pids)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/sign-in")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def settings_of(folder: Path, database_url: str) -> dict[str, str]:
    """The environment that puts all data below `folder`; everything else is at its default."""
    environment = {"IDP_DATA_FOLDER": str(folder), "IDP_KEYS__FOLDER": str(folder / "certs")}
    if database_url:
        environment["IDP_DATABASE__URL"] = database_url
    return environment
