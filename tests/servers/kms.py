"""AWS KMS by moto, as a process with a port: it can be stopped, frozen and started again.

A door in front of it, which the address leads to, can refuse in AWS's own words; for moto checks
neither permissions nor whether a key is enabled.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any

from tests.servers.postgresql import free_port

REGION = "eu-central-1"
# Credentials that no AWS account has.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}


@dataclass
class Kms:
    """Starts at entry and ends at exit."""

    port: int = field(default_factory=free_port)
    calls: list[str] = field(default_factory=list)
    _refusals: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    _wrong: bool = False
    _watcher: Callable[[str], None] | None = None

    def __enter__(self) -> Kms:
        self._moto_port = free_port()
        self.start()
        kms = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, answer = kms._answer(body, dict(self.headers))
                self.close_connection = not status
                if not status:
                    return
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/x-amz-json-1.1")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:  # whoever asked is gone
                    pass

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

        self._door = Server(("127.0.0.1", self.port), Door)
        self._thread = Thread(target=self._door.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._door.shutdown()
        self._thread.join(10)
        self._door.server_close()
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def moto_url(self) -> str:
        """Past the door."""
        return f"http://127.0.0.1:{self._moto_port}"

    def settings(self, **changes: Any) -> dict[str, Any]:
        """The table [keys.kms]."""
        return {"region": REGION, "endpoint_url": self.url, **changes}

    def start(self) -> None:
        """Start moto, with no keys in it."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, "-p", str(self._moto_port)],
            env={**os.environ, **CREDENTIALS},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{self.moto_url}/moto-api/data.json", timeout=5).close()
            except OSError:
                assert self._process.poll() is None, "moto did not start"
                assert time.monotonic() < deadline, "moto did not answer"
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End moto; what it knew is gone."""
        self._process.kill()
        self._process.wait(10)

    def forget(self) -> None:
        """Have no keys any more."""
        reset = urllib.request.Request(f"{self.moto_url}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset, timeout=10).close()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Connections end without an answer."""
        self._refusals["*"] = (0, "", "")
        try:
            yield
        finally:
            del self._refusals["*"]

    @contextmanager
    def refusing(
        self, code: str, message: str, *, action: str = "Sign", status: int = 400
    ) -> Iterator[None]:
        """Answers calls of this action as AWS words it."""
        self._refusals[action] = (status, code, message)
        try:
            yield
        finally:
            del self._refusals[action]

    @contextmanager
    def watched(self, watcher: Callable[[str], None]) -> Iterator[None]:
        """Calls `watcher` with the action before each answer; whoever asked waits for it."""
        self._watcher = watcher
        try:
            yield
        finally:
            self._watcher = None

    @contextmanager
    def signing_wrongly(self) -> Iterator[None]:
        """Signs with another hash than it was asked for: good-looking and wrong."""
        self._wrong = True
        try:
            yield
        finally:
            self._wrong = False

    def ask(self, action: str, **fields: Any) -> dict[str, Any]:
        """Call moto itself."""
        headers = {"X-Amz-Target": f"TrentService.{action}", **_SIGNED}
        status, body = self._forward(json.dumps(fields).encode(), headers)
        assert status == 200, body
        answer: dict[str, Any] = json.loads(body or b"{}")
        return answer

    def _answer(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        action = headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.calls.append(action)
        if self._watcher:
            self._watcher(action)
        refusal = self._refusals.get(action) or self._refusals.get("*")
        if refusal:
            status, code, message = refusal
            return status, json.dumps({"__type": code, "message": message}).encode()
        if self._wrong and action == "Sign":
            body = body.replace(b"PKCS1_V1_5_SHA_256", b"PKCS1_V1_5_SHA_384")
        try:
            return self._forward(body, headers)
        except (OSError, HTTPException):
            return 0, b""

    def _forward(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self._moto_port, timeout=60)
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


# moto tells by these which service and Region is meant.
_SIGNED = {
    "Content-Type": "application/x-amz-json-1.1",
    "Authorization": f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/{REGION}/kms/aws4_request, "
    "SignedHeaders=host, Signature=0",
}
