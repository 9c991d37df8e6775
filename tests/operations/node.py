"""A real `idp serve`, its log, and a browser that speaks to it over a socket."""

from __future__ import annotations

import base64
import html
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

import tomli_w

from tests.company import PASSWORD
from tests.servers.postgresql import free_port

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds; only a broken server needs them


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str
    cookies: dict[str, str]

    @property
    def assertion_id(self) -> str:
        """The assertion on the page, "" if there is none."""
        found = re.search(r'name="SAMLResponse" value="([^"]+)"', self.text)
        if not found:
            return ""
        xml = base64.b64decode(html.unescape(found[1]))
        assertion = re.search(rb'<(?:\w+:)?Assertion [^>]*\bID="([^"]+)"', xml)
        assert assertion
        return assertion[1].decode()


@dataclass
class Browser:
    """Sends each request on a new connection to `address`, whatever name the site has."""

    base_url: str
    address: tuple[str, int]
    cookies: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None

    def request(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = self._connection()
        sent = {"Host": urlsplit(self.base_url).netloc, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if fields is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            sent.setdefault("Referer", self.base_url + "/")
        try:
            connection.request(method, path, urlencode(fields) if fields else None, sent)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, headers, response.read().decode(), {})
            for line in response.headers.get_all("Set-Cookie") or []:
                name, _, value = line.partition(";")[0].partition("=")
                answer.cookies[name] = value
        finally:
            connection.close()
        self.cookies.update(answer.cookies)
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        if self.tls:
            return http.client.HTTPSConnection(*self.address, timeout=PATIENCE, context=self.tls)
        return http.client.HTTPConnection(*self.address, timeout=PATIENCE)

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers=headers)

    def token(self, path: str = "/sign-in") -> str:
        page = self.get(path)
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
        assert found, f"no form on {path} ({page.status}): {page.text[-400:]}"
        return found[1]

    def sign_in(self, username: str, password: str = PASSWORD) -> Answer:
        form = {"username": username, "password": password, "csrf_token": self.token()}
        return self.request("POST", "/sign-in", form)

    def open_role(self, role: str, token: str) -> Answer:
        return self.request("POST", "/aws", {"role": role, "csrf_token": token})


class Node:
    """`idp serve` in a folder of its own; ended at exit, whatever has become of it."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, Any],
        port: int = 0,
        base_url: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.base_url = base_url or f"http://127.0.0.1:{self.port}"
        self.config = folder / "idp.toml"
        self.log_file = folder / "log"
        self._settings = {**settings}
        self._environment = dict(environment or {})
        folder.mkdir(parents=True, exist_ok=True)
        self.write_settings()

    def write_settings(self, **sections: Any) -> None:
        """Write idp.toml; `sections` are laid over what the node was made with."""
        document: dict[str, Any] = {
            "organization": "Example Corp",
            "data_folder": str(self.folder / "var"),
        }
        for name, value in {**self._settings, **sections}.items():
            document[name] = value
        server = {"base_url": self.base_url, "port": self.port, "workers": 2}
        document["server"] = {**server, **document.get("server", {})}
        self.config.write_text(tomli_w.dumps(document))

    def __enter__(self) -> Node:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise

    def start(self) -> None:
        """Start, and wait for the first answer."""
        self.process = self.spawn(["serve"])
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            assert self.process.poll() is None, self.log_file.read_text()
            assert time.monotonic() < deadline, self.log_file.read_text()
            time.sleep(0.05)

    def spawn(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "idp", *arguments],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `idp ARGUMENTS` with this node's settings."""
        return subprocess.run(
            [sys.executable, "-m", "idp", *arguments],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
        return {**kept, "IDP_CONFIG": str(self.config), **self._environment}

    def answers(self) -> bool:
        try:
            return self.browser().get("/healthz").status == 200
        except OSError:
            return False

    def browser(self) -> Browser:
        return Browser(self.base_url, ("127.0.0.1", self.port))

    def workers(self) -> set[int]:
        """The processes that the server has started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(child) for child in children.read_text().split()}

    def kill(self, *, workers_too: bool = False) -> None:
        """SIGKILL to the server's first process, as the system does when memory runs out."""
        workers = self.workers()
        self.process.kill()
        if workers_too:
            for worker in workers:
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
        self.process.wait(timeout=PATIENCE)
        wait_until_gone(workers)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it with a signal; gives the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE)

    def log(self) -> list[dict[str, Any]]:
        """The log's lines; each must be JSON."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]

    def wait_for_log(self, event: str) -> dict[str, Any]:
        """The first line of that event, once it is there."""
        deadline = time.monotonic() + PATIENCE
        while True:
            for line in self.log():
                if line["event"].startswith(event):
                    return line
            assert time.monotonic() < deadline, self.log_file.read_text()
            time.sleep(0.05)


def wait_until_free(port: int) -> None:
    """Return once nobody listens on the port of loopback."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_server(("127.0.0.1", port)):
                return
        except OSError:
            assert time.monotonic() < deadline, f"port {port} is still held"
            time.sleep(0.05)


def wait_until_gone(processes: set[int]) -> None:
    """Return once none of these processes is left."""
    deadline = time.monotonic() + PATIENCE
    while any(_runs(process) for process in processes):
        assert time.monotonic() < deadline, f"still there: {processes}"
        time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
