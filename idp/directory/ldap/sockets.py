"""Sockets with a deadline: connected, wrapped in TLS, and read from within a set time."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time

from idp.directory.ldap.endpoint import Endpoint
from idp.directory.ldap.failure import ServerFailed, Step

_KEEPALIVE_SECONDS = 20  # shorter than any firewall forgets; dead peers show within a minute


class BoundedSocket:
    """What ldap3 reads from and writes to: each operation ends in its time.

    A time-out of the socket alone would begin anew at each read, so that a server that sends a
    byte now and then could hold a sign-in for as long as it likes.
    """

    def __init__(self, inner: socket.socket, seconds: float) -> None:
        self._inner = inner
        self.timed_out = False
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        """Give what follows so many seconds from now."""
        self._deadline = time.monotonic() + seconds

    def recv(self, size: int) -> bytes:
        """As socket.recv. Raises TimeoutError when the time is over."""
        self._limit()
        try:
            return self._inner.recv(size)
        except TimeoutError:
            self.timed_out = True
            raise

    def sendall(self, data: bytes) -> None:
        """As socket.sendall. Raises TimeoutError when the time is over."""
        self._limit()
        try:
            self._inner.sendall(data)
        except TimeoutError:
            self.timed_out = True
            raise

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Shake hands and check the certificate against `host`. Raises OSError, ssl.SSLError."""
        self._limit()
        self._inner = context.wrap_socket(self._inner, server_hostname=host)

    def has_news(self) -> bool:
        """Whether something waits to be read: on an idle connection, that the server ended it."""
        if isinstance(self._inner, ssl.SSLSocket) and self._inner.pending():
            return True
        poll = select.poll()
        poll.register(self._inner, select.POLLIN)
        return bool(poll.poll(0))

    def shutdown(self, how: int) -> None:
        """As socket.shutdown."""
        self._inner.shutdown(how)

    def close(self) -> None:
        """As socket.close."""
        self._inner.close()

    @property
    def tls_version(self) -> str | None:
        """Like "TLSv1.3"; None without TLS."""
        return self._inner.version() if isinstance(self._inner, ssl.SSLSocket) else None

    def _limit(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            self.timed_out = True
            raise TimeoutError("timed out")
        self._inner.settimeout(left)


def connect(endpoint: Endpoint, seconds: float) -> BoundedSocket:
    """A connected socket, whose first operation has what is left of `seconds`.

    All addresses of the host are tried. Raises ServerFailed.
    """
    deadline = time.monotonic() + seconds
    addresses = _addresses(endpoint, seconds)
    problem: OSError = TimeoutError("timed out")
    for number, (family, address) in enumerate(addresses):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            # The first of several addresses may not use up the time of the others.
            opened.settimeout(left / (len(addresses) - number))
            opened.connect(address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _keep_alive(opened)
        except OSError as failed:
            opened.close()
            problem = failed
        else:
            return BoundedSocket(opened, deadline - time.monotonic())
    timed_out = isinstance(problem, TimeoutError)
    reason = "no answer in time" if timed_out else problem.strerror or str(problem)
    raise ServerFailed(endpoint, Step.CONNECT, reason, timed_out)


def _addresses(endpoint: Endpoint, seconds: float) -> list[tuple[int, tuple[str, int]]]:
    """All addresses of a host, asked in a thread: the system's resolver knows no time-out."""
    found: list[tuple[int, tuple[str, int]]] = []
    problems: list[str] = []

    def look_up() -> None:
        try:
            for family, _, _, _, address in socket.getaddrinfo(
                endpoint.host, endpoint.port, type=socket.SOCK_STREAM
            ):
                found.append((family, address))  # type: ignore[arg-type]
        except (OSError, UnicodeError) as problem:
            problems.append(getattr(problem, "strerror", "") or str(problem))

    thread = threading.Thread(target=look_up, daemon=True, name="ldap-resolve")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise ServerFailed(endpoint, Step.RESOLVE, "the name service does not answer", True)
    if not found:
        raise ServerFailed(endpoint, Step.RESOLVE, problems[0] if problems else "no address")
    return found


def _keep_alive(opened: socket.socket) -> None:
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", _KEEPALIVE_SECONDS), ("TCP_KEEPINTVL", 10)):
        if hasattr(socket, option):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
