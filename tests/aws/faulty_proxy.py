"""An HTTP proxy in front of the sandbox that notes every call, and spoils those it is told to."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from urllib.parse import parse_qsl, urlsplit

CHANGES = ("CreateSAMLProvider", "UpdateSAMLProvider", "DeleteSAMLProvider")


@dataclass(frozen=True)
class Answer:
    """What is sent back; a status of 0 cuts the connection without a word."""

    status: int
    body: bytes = b""


@dataclass
class Call:
    """A call as it came; `answered` is the sandbox's status, 0 if it never got there."""

    key: str
    action: str
    fields: dict[str, str]
    answered: int = 0


Forward = Callable[[], Answer]
# Gets the way to the sandbox, and gives what the caller is to see.
Fault = Callable[[Forward], Answer]


def refusing(code: str, status: int = 400, message: str = "said the proxy") -> Fault:
    body = (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error>'
        f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>r</RequestId></ErrorResponse>"
    )
    return lambda _forward: Answer(status, body.encode())


def cutting(_forward: Forward) -> Answer:
    """The call never gets there."""
    return Answer(0)


def losing_the_answer(forward: Forward) -> Answer:
    """The call gets there; its answer doesn't get back."""
    forward()
    return Answer(0)


@dataclass
class FaultyProxy:
    """`address` is the proxy's own; faults are used up in order, `always` ones never."""

    sandbox: str
    address: str = ""
    calls: list[Call] = field(default_factory=list)
    released: Event = field(default_factory=Event)
    delay: float = 0
    _once: dict[tuple[str, str], deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    _always: dict[tuple[str, str], Fault] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def once(self, account: str, action: str, *faults: Fault) -> None:
        self._once[account, action].extend(faults)

    def always(self, account: str, action: str, fault: Fault) -> None:
        self._always[account, action] = fault

    def heal(self) -> None:
        self._once.clear()
        self._always.clear()
        self.released.set()

    def hanging(self, _forward: Forward) -> Answer:
        """No answer until the proxy is healed."""
        self.released.wait(60)
        return Answer(0)

    def changes(self, account: str = "") -> list[Call]:
        """The calls that would change something, as they came."""
        return [call for call in self.calls if call.action in CHANGES and account in ("", call.key)]

    def done(self, account: str = "") -> list[Call]:
        """The calls that did change something."""
        return [call for call in self.changes(account) if call.answered == 200]

    def pass_on(self, key: str, body: bytes, headers: dict[str, str]) -> Answer:
        fields = dict(parse_qsl(body.decode()))
        call = Call(key, fields.get("Action", ""), fields)
        with self._lock:
            self.calls.append(call)
            place = (key, call.action)
            fault = self._once[place].popleft() if self._once[place] else self._always.get(place)

        def forward() -> Answer:
            answer = self._forward(body, headers)
            call.answered = answer.status
            return answer

        self.released.wait(self.delay)
        return fault(forward) if fault else forward()

    def _forward(self, body: bytes, headers: dict[str, str]) -> Answer:
        place = urlsplit(self.sandbox)
        connection = HTTPConnection(place.hostname or "", place.port, timeout=60)
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            connection.close()


@contextmanager
def faulty_proxy(sandbox: str) -> Iterator[FaultyProxy]:
    """A proxy that listens on a free port until the block ends."""
    proxy = FaultyProxy(sandbox)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization", ""))
            headers = {
                name: value for name, value in self.headers.items() if name.lower() != "connection"
            }
            answer = proxy.pass_on(found[1] if found else "", body, headers)
            self.close_connection = True
            if answer.status:
                try:
                    self.send_response(answer.status)
                    self.send_header("Content-Type", "text/xml")
                    self.send_header("Content-Length", str(len(answer.body)))
                    self.send_header("Connection", "close")
                    self.end_headers()
                    self.wfile.write(answer.body)
                except OSError:  # whoever asked is gone
                    pass

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            """A caller that was killed is part of the game."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.released.set()
        server.shutdown()
        thread.join(10)
        server.server_close()
