"""Serve the sandbox on loopback, each request in a thread of its own."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from idp.errors import IdpError
from idp.sandbox.app import LOOPBACK, NotLoopback, create_sandbox

log = logging.getLogger("idp.sandbox")


class PortTaken(IdpError):
    """Something else listens there."""


class _QuietHandler(WSGIRequestHandler):
    """Logs a line for each request at level info, and no query strings or bodies."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        path = getattr(self, "path", "").partition("?")[0]
        log.info("%s %s %s", getattr(self, "command", "-"), path[:200], int(code or 0))

    def log(self, type: str, message: str, *arguments: Any) -> None:
        log.info("%s: %s", type, message % arguments if arguments else message)


def open_sandbox(
    host: str = "127.0.0.1",
    port: int = 8081,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> tuple[BaseWSGIServer, str]:
    """A server that listens, and its address; `serve_forever` serves, `shutdown` ends it.

    Port 0 takes any free one. Raises NotLoopback, PortTaken, SandboxNotInstalled.
    """
    if host not in LOOPBACK:
        raise NotLoopback(
            f"The sandbox can't listen on {host}: it would hand out credentials to the network.",
            "Leave --host at 127.0.0.1.",
        )
    with _listening(host, port) as listener:
        server = make_server(
            host,
            listener.getsockname()[1],
            _not_yet,
            threaded=True,
            request_handler=_QuietHandler,
            fd=listener.fileno(),
        )
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{server.port}"
    server.app = create_sandbox(address, clock=clock)
    return server, address


def _not_yet(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("503 Service Unavailable", [])
    return []


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Bound here, for werkzeug ends the process when it can't."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as problem:
        listener.close()
        raise _no_port(host, port, problem) from None
    return listener


def _no_port(host: str, port: int, problem: OSError) -> PortTaken:
    if problem.errno == errno.EADDRINUSE:
        return PortTaken(
            f"Port {port} on {host} is taken by another program.",
            "End that one, or choose another port with --port.",
        )
    return PortTaken(
        f"The sandbox can't listen on port {port} of {host}: {problem.strerror}.",
        "Choose another port with --port.",
    )
