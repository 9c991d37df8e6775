"""nginx in front of our nodes, with the configuration that the documentation shows."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.operations.node import PATIENCE, Browser

_MAIN = """
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{site}
}}
"""


class Nginx:
    """Runs one site; `browser` is one that comes through it."""

    def __init__(self, program: str, folder: Path, site: str, ready: Browser) -> None:
        self._program = program
        self._folder = folder
        self._ready = ready
        folder.mkdir(parents=True, exist_ok=True)
        user = "user root;" if os.geteuid() == 0 else ""
        self._config = folder / "nginx.conf"
        self._config.write_text(_MAIN.format(user=user, folder=folder, site=site))

    def __enter__(self) -> Nginx:
        error_log = self._folder / "error.log"
        self._process = subprocess.Popen(
            [self._program, "-e", str(error_log), "-p", str(self._folder), "-c", str(self._config)],
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._ready.get("/sign-in")
                return self
            except OSError:
                assert self._process.poll() is None, error_log.read_text()
                assert time.monotonic() < deadline, error_log.read_text()
                time.sleep(0.05)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=PATIENCE)
