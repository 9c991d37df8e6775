"""Which servers of a directory can be asked: those that failed are left out until they are back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from idp.directory.ldap.endpoint import Endpoint
from idp.directory.ldap.failure import NoServer, ServerFailed

log = logging.getLogger("idp.directory")

T = TypeVar("T")

# Seconds until a server that failed is tried again, the first time, the second time and so on. The
# first is at once: one slow answer does not make a server one that can't be asked.
_DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0, 5.0)
# A refused service account is not tried so often: that could lock it.
_DELAY_AFTER_REFUSED_BIND = 30.0
_BELIEVED_FOR = 5.0  # seconds that a server found well is not asked for the same doubt again


@dataclass(frozen=True, slots=True)
class Down:
    """A server that failed: how, when (monotonic seconds), and when it is tried again."""

    failure: ServerFailed
    since: float
    retry_at: float
    failures: int = 1


class Servers:
    """The servers of one directory, in order of preference, with what we know of their health.

    A sign-in that meets a dead or silent server loses the time-out once; from then on a thread in
    the background tries that server, and no sign-in does until it answers again. The thread lives
    only as long as a server is down.
    """

    def __init__(
        self,
        directory: str,
        listed: Callable[[], Sequence[Endpoint]],
        probe: Callable[[Endpoint], None],
        delays: Sequence[float] = _DELAYS,
    ) -> None:
        """`listed` gives the servers as they are now; `probe` raises ServerFailed."""
        self._directory = directory
        self._listed = listed
        self._probe = probe
        self._delays = delays
        self._lock = threading.Lock()
        self._down: dict[Endpoint, Down] = {}
        self._asked_at: dict[Endpoint, float] = {}
        self._prober: threading.Thread | None = None
        self._closed = threading.Event()

    def attempt(self, work: Callable[[Endpoint], T]) -> T:
        """Do `work` with the first server that does its part.

        `work` may be called with several servers, so it has to be repeatable. Raises NoServer at
        once if all servers are known to be down, and whatever else `work` raises.
        """
        last: ServerFailed | None = None
        for endpoint in self.usable():
            try:
                return work(endpoint)
            except ServerFailed as failure:
                if not self._fails_for_one(failure):
                    self.failed(failure)
                last = failure
        raise NoServer("none of its servers can be used", last or self._any_failure())

    def usable(self) -> list[Endpoint]:
        """The servers that are not known to be down. Raises NoServer if none is listed."""
        listed = self._listed()
        if not listed:
            raise NoServer("it has no servers")
        with self._lock:
            return [endpoint for endpoint in listed if endpoint not in self._down]

    def down(self) -> dict[Endpoint, Down]:
        """The servers that are left out, and why."""
        with self._lock:
            return dict(self._down)

    def failed(self, failure: ServerFailed) -> None:
        """Leave a server out until it answers again."""
        with self._lock:
            known = failure.endpoint in self._down
            self._note(failure)
            if self._prober is None and not self._closed.is_set():
                self._prober = threading.Thread(
                    target=self._try_again, daemon=True, name=f"ldap-{self._directory}"
                )
                self._prober.start()
        if not known:
            log.error(
                "a directory server is left out",
                extra={
                    "directory": self._directory,
                    "server": str(failure.endpoint),
                    "step": str(failure.step),
                    "reason": failure.reason,
                },
            )

    def close(self) -> None:
        """Stop trying servers."""
        self._closed.set()

    def _fails_for_one(self, failure: ServerFailed) -> bool:
        """Whether a server that failed is well, as far as our own account can see.

        Without this, whoever can make the server choke on his own entry could take the directory
        from everybody. A silent server is not asked, for that would cost the time-out twice: it is
        left out, and tried at once in the background.
        """
        if not failure.doubtful or failure.timed_out:
            return False
        now = time.monotonic()
        with self._lock:
            asked_at = self._asked_at.get(failure.endpoint)
            ask = asked_at is None or now - asked_at >= _BELIEVED_FOR
            if ask:
                self._asked_at[failure.endpoint] = now
        try:
            if ask:
                self._probe(failure.endpoint)
        except ServerFailed:
            with self._lock:
                self._asked_at.pop(failure.endpoint, None)
            return False
        log.warning(
            "a directory server failed for one person alone",
            extra={
                "directory": self._directory,
                "server": str(failure.endpoint),
                "step": str(failure.step),
                "reason": failure.reason,
            },
        )
        return True

    def _note(self, failure: ServerFailed) -> None:
        now = time.monotonic()
        before = self._down.get(failure.endpoint)
        failures = before.failures + 1 if before else 1
        delay = self._delays[min(failures, len(self._delays)) - 1]
        if failure.refused:
            delay = max(delay, _DELAY_AFTER_REFUSED_BIND)
        since = before.since if before else now
        self._down[failure.endpoint] = Down(failure, since, now + delay, failures)

    def _try_again(self) -> None:
        while True:
            with self._lock:
                if not self._down or self._closed.is_set():
                    self._prober = None
                    return
                endpoint, down = min(self._down.items(), key=lambda item: item[1].retry_at)
            if self._closed.wait(max(0.0, down.retry_at - time.monotonic())):
                continue
            try:
                self._probe(endpoint)
            except ServerFailed as failure:
                with self._lock:
                    self._note(failure)
            except Exception:
                log.exception("a directory server could not be tried")
                with self._lock:
                    self._note(down.failure)
            else:
                self._is_back(endpoint)

    def _is_back(self, endpoint: Endpoint) -> None:
        with self._lock:
            down = self._down.pop(endpoint, None)
        if down:
            log.warning(
                "a directory server answers again",
                extra={
                    "directory": self._directory,
                    "server": str(endpoint),
                    "seconds": round(time.monotonic() - down.since, 1),
                },
            )

    def _any_failure(self) -> ServerFailed | None:
        with self._lock:
            return next((down.failure for down in self._down.values()), None)
