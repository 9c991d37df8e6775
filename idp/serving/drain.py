"""How a worker leaves without breaking a connection, and that it leaves when its server dies."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

DRAIN_SIGNAL = signal.SIGUSR1
DRAIN_SECONDS = 0.5  # for accepted connections to send their request before the worker stops

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def stop_accepting(listener: int) -> None:
    """Take this process's hands off the shared listening socket; the other workers go on with it.

    Every descriptor of it is pointed at a socket that nobody knows. Closing them would not do:
    the server inside this process goes on asking its descriptor for connections.
    """
    shared = os.fstat(listener)
    with socket.create_server(("127.0.0.1", 0), backlog=1) as unknown:
        unknown.setblocking(False)
        for number in [int(entry.name) for entry in Path("/dev/fd").iterdir()]:
            try:
                same = os.path.samestat(os.fstat(number), shared)
            except OSError:  # the descriptor that listed the folder
                continue
            if same:
                os.dup2(unknown.fileno(), number, inheritable=False)


class Draining:
    """WSGI middleware: from the drain signal on, no new connections, and none is kept alive."""

    def __init__(self, application: Wsgi, listener: int) -> None:
        self._application = application
        self._listener = listener
        self._draining = False

    def listen_for_signal(self) -> None:
        """To be called in the worker's main thread."""
        signal.signal(DRAIN_SIGNAL, self._drain)

    def _drain(self, *_: object) -> None:
        if not self._draining:
            self._draining = True
            stop_accepting(self._listener)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer; while draining, ask the client to come back on a new connection."""

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            if self._draining:
                headers = [*headers, ("Connection", "close")]
            return start_response(status, headers, *rest)

        return self._application(environ, start)


def end_with_server(server: int, patience: float) -> None:
    """End this worker when the server's process ends, however it ends; `server` is its id.

    The kernel sends SIGTERM at once on Linux; elsewhere a thread looks every second. A worker
    that has not ended `patience` seconds later is ended hard, so that the port becomes free.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    def _watch() -> None:
        while os.getppid() == server:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(patience)
        os._exit(1)

    threading.Thread(target=_watch, name="server-watch", daemon=True).start()


def own_process_group() -> None:
    """Ctrl-C in a terminal reaches the server alone, which then ends its workers in order."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
