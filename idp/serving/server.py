"""granian, with one listening socket for all workers and with workers that leave gently.

granian gives each worker a listening socket of its own (SO_REUSEPORT), and what waits in the
queue of a worker that ends is lost with it. Here the workers share one queue, which the server's
process holds, so that a worker can be replaced, or killed, without a refused connection.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Iterable
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.synchronize import Semaphore
from typing import Any

from granian import _granian
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.log import LogLevels
from granian.server.mp import MPServer

from idp.app import create_app
from idp.errors import IdpError
from idp.keys import custody
from idp.keys.pin import REFUSED_PIN
from idp.serving.drain import DRAIN_SECONDS, DRAIN_SIGNAL
from idp.serving.memory import share_with_workers
from idp.serving.worker import load_worker
from idp.settings import Settings, load_settings
from idp.telemetry.logs import logging_config
from idp.web.tls import require_usable_pair

PATIENCE = 10  # seconds for running requests to end
START_SECONDS = 30.0  # for a worker to become ready
_BETWEEN_TRIES = 1.0  # seconds before a worker that can't start is tried again

_Granian: Any = MPServer  # its types leave out what is overridden here
_SocketHolder: Any = _granian.SocketHolder
_Worker = Any

log = logging.getLogger("idp.server")


def require_servable(settings: Settings) -> None:
    """Raise IdpError, with a sentence, unless workers could start with these settings."""
    server = settings.server
    if server.tls_certificate and server.tls_key:
        require_usable_pair(server.tls_certificate, server.tls_key)
    try:
        create_app(settings).extensions["idp"].database.close()
    finally:
        custody.leave()  # workers that are forked from here open their own


class Server(_Granian):  # type: ignore[misc]
    """The process that holds the port, starts the workers and replaces them.

    SIGTERM and Ctrl-C end it after the running requests. SIGHUP reads the settings again and
    replaces one worker after the other; settings that can't be used change nothing.
    """

    def __init__(self, settings: Settings) -> None:
        own = settings.server
        self._settings = settings
        super().__init__(
            target="idp.serving.worker:load_worker",
            address=own.host,
            port=own.port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,  # two protocols would mean two ways of closing a connection
            workers=own.workers or os.cpu_count() or 1,
            blocking_threads=own.threads,
            backlog=1024,
            websockets=False,
            log_level=LogLevels(settings.log.level),
            log_dictconfig=logging_config(settings.log),
            respawn_failed_workers=True,
            workers_kill_timeout=PATIENCE,
            ssl_cert=own.tls_certificate,
            ssl_key=own.tls_key,
            ssl_protocol_min=SSLProtocols.tls12,
        )
        method = multiprocessing.get_start_method()
        self._processes = multiprocessing.get_context(
            method if method in ("fork", "spawn") else "spawn"
        )
        self._ready: Semaphore = self._processes.Semaphore(0)

    def run(self) -> None:
        """Serve until a signal ends it."""
        share_with_workers()
        REFUSED_PIN.share()
        self.serve(target_loader=self._loader(0), wrap_loader=False)

    def _loader(self, listener: int) -> Any:
        return partial(load_worker, os.getpid(), listener, PATIENCE, self._ready)

    def _init_shared_socket(self) -> None:
        family = socket.AF_INET6 if ":" in self.bind_addr else socket.AF_INET
        listening = socket.create_server(
            (self.bind_addr, self.bind_port), family=family, backlog=self.backlog
        )
        # Connections inherit it. Without, each answer waits 40 ms for the client's delayed ACK.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.setblocking(False)
        listening.set_inheritable(True)
        self._sso = listening
        self._shd = _SocketHolder(listening.fileno(), False, self.backlog)
        self._ssp = None

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> _Worker:
        loader = self._loader(self._sso.fileno())
        return super()._spawn_worker(idx, target, loader)

    def _reload(self, spawn_target: Any, target_loader: Any) -> None:
        self.reload_signal = False
        self.main_loop_interrupt.clear()
        try:
            settings = load_settings()
            require_servable(settings)
        except IdpError as refusal:
            log.error("not reloaded: the settings can't be used", extra={"reason": str(refusal)})
            return
        self._tell_what_needs_a_restart(settings)
        log.warning("reloading: workers are replaced one by one")
        self._respawn_workers(range(self.workers), spawn_target, target_loader)
        log.warning("reloaded")

    def _tell_what_needs_a_restart(self, settings: Settings) -> None:
        fixed = ("host", "port", "workers", "threads", "tls_certificate", "tls_key")
        changed = [
            f"server.{name}"
            for name in fixed
            if getattr(settings.server, name) != getattr(self._settings.server, name)
        ]
        if settings.data_folder != self._settings.data_folder:
            changed.append("data_folder")
        if changed:
            log.warning("some settings change only with a restart", extra={"settings": changed})

    def _respawn_workers(
        self, workers: Iterable[int], spawn_target: Any, target_loader: Any, delay: float = 0
    ) -> None:
        """Start a new worker for each of these, and end the old one once the new one is ready.

        A worker that can't start is tried again for as long as it takes: what it lacks, such as
        a database that is away for a minute, will come back, and the other workers serve on.
        """
        for index in workers:
            if self.interrupt_signal:
                return
            self._forget_released()
            fresh = self._spawn_worker(index, spawn_target, target_loader)
            fresh.start()
            old = self.wrks[index]
            self.wrks[index] = fresh
            if self._became_ready(fresh):
                self._end([old])
            elif self.interrupt_signal:
                self.wrks.append(old)  # both are to end now
            elif old.is_alive():
                log.error("a new worker could not start; the old one goes on")
                self.wrks[index] = old
                fresh.kill()
            else:
                time.sleep(_BETWEEN_TRIES)

    def _forget_released(self) -> None:
        while self._ready.acquire(block=False):
            pass

    def _became_ready(self, worker: _Worker) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and worker.is_alive() and not self.interrupt_signal:
            if self._ready.acquire(timeout=0.2):
                return True
        return False

    def _stop_workers(self) -> None:
        self._end(self.wrks)
        self.wrks.clear()

    def _end(self, workers: list[_Worker]) -> None:
        """Drain, stop and, after PATIENCE, kill."""
        alive = [worker for worker in workers if worker.is_alive()]
        for worker in alive:
            worker.interrupt_by_parent = True
            try:
                os.kill(worker.inner.pid, DRAIN_SIGNAL)
            except ProcessLookupError:
                continue
        if alive:
            time.sleep(DRAIN_SECONDS)
        for worker in alive:
            worker.terminate()
        deadline = time.monotonic() + PATIENCE
        for worker in alive:
            # Not join(): granian joins in a thread of its own, and of two who do, one is told
            # that the process still lives.
            if not wait([worker.inner.sentinel], max(deadline - time.monotonic(), 0.01)):
                log.warning("a worker did not end in time and was killed")
                worker.kill()
                worker.join(PATIENCE)


def ignore_drain_signal() -> None:
    """A worker that has not set its handler yet must not die of the signal to drain."""
    signal.signal(DRAIN_SIGNAL, signal.SIG_IGN)
