"""Connections of the service account, kept open for the next search."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from idp.directory.ldap.connection import Connection
from idp.directory.ldap.endpoint import Endpoint
from idp.directory.ldap.failure import ServerFailed
from idp.directory.ldap.servers import Servers

T = TypeVar("T")

_MOST_IDLE = 8  # of each server; a process has few threads
_LONGEST_SECONDS = 600.0  # then it is opened anew: certificates and passwords change


@dataclass(slots=True)
class _Idle:
    connection: Connection
    opened_at: float
    used_at: float


class ServicePool:
    """Lends each connection to one thread at a time.

    A connection that its server closed while it lay idle (a restart, a time-out) is replaced
    without anybody noticing; one that is silent counts as a server that failed.
    """

    def __init__(
        self,
        servers: Servers,
        open_bound: Callable[[Endpoint], Connection],
        idle_seconds: float,
        longest_seconds: float = _LONGEST_SECONDS,
    ) -> None:
        """`open_bound` connects and binds the service account. It raises ServerFailed."""
        self._servers = servers
        self._open = open_bound
        self._idle_seconds = idle_seconds
        self._longest = longest_seconds
        self._lock = threading.Lock()
        self._idle: dict[Endpoint, list[_Idle]] = {}

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do `work`, which has to be repeatable, with a connection to a server that answers.

        Raises NoServer, and whatever else `work` raises.
        """
        return self._servers.attempt(lambda endpoint: self.run_at(endpoint, work))

    def run_at(self, endpoint: Endpoint, work: Callable[[Connection], T]) -> T:
        """The same with one server. Raises ServerFailed."""
        while idle := self._take(endpoint):
            try:
                return self._use(idle, work)
            except ServerFailed as failure:
                if failure.timed_out:
                    self._drop(endpoint)
                    raise
                self._drop(endpoint)  # what one lost, the others lost as well
        now = time.monotonic()
        return self._use(_Idle(self._open(endpoint), now, now), work)

    def close(self) -> None:
        """Close what lies idle."""
        for endpoint in list(self._idle):
            self._drop(endpoint)

    def _use(self, lent: _Idle, work: Callable[[Connection], T]) -> T:
        try:
            result = work(lent.connection)
        except BaseException:
            lent.connection.close()
            raise
        self._give_back(lent)
        return result

    def _take(self, endpoint: Endpoint) -> _Idle | None:
        while True:
            with self._lock:
                waiting = self._idle.get(endpoint)
                if not waiting:
                    return None
                lent = waiting.pop()
            now = time.monotonic()
            rested, age = now - lent.used_at, now - lent.opened_at
            young = rested < self._idle_seconds and age < self._longest
            if young and not lent.connection.is_stale:
                return lent
            lent.connection.close()

    def _give_back(self, lent: _Idle) -> None:
        lent.used_at = time.monotonic()
        with self._lock:
            waiting = self._idle.setdefault(lent.connection.endpoint, [])
            if len(waiting) < _MOST_IDLE:
                waiting.append(lent)
                return
        lent.connection.close()

    def _drop(self, endpoint: Endpoint) -> None:
        with self._lock:
            waiting = self._idle.pop(endpoint, [])
        for lent in waiting:
            lent.connection.close()
