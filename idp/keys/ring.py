"""The active key, ready to sign, kept by each process and looked up anew every few seconds."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from idp.audit.log import utc_now
from idp.db.engine import Database
from idp.keys.custody import open_signer, probe
from idp.keys.expiry import ExpiryWarnings
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.keys.store import active_key
from idp.saml.signature import Signer
from idp.settings import Settings

REFRESH_SECONDS = 2.0
LONGEST_UNSEEN_SECONDS = 4.0  # so that a replaced key signs for less than 5 s
RETRY_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 2.0

Open = Callable[[SigningKey, Settings], Signer]


@dataclass(frozen=True, slots=True)
class ReadyKey:
    """The active key with its private half at hand."""

    key: SigningKey
    signer: Signer


@dataclass(frozen=True, slots=True)
class _Failure:
    """The custody of key `fingerprint` refused at `at`."""

    fingerprint: str
    message: str
    advice: str
    at: float


class KeyRing:
    """Gives the active key without asking the database at every sign-in.

    A key that another process activates is used here within REFRESH_SECONDS, and at most
    LONGEST_UNSEEN_SECONDS if its custody is slow to open it. One thread at a time looks; meanwhile
    the others go on with the key they have. When the custody of the active key refuses, nobody
    signs, not even with the key before; callers are told at once, and the custody is asked again
    every RETRY_SECONDS.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        opener: Open = open_signer,
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._open = opener
        self._looking = threading.Lock()
        self._ready: ReadyKey | None = None
        self._seen_at = 0.0
        self._failure: _Failure | None = None
        self._expiry = ExpiryWarnings()

    def active(self) -> ReadyKey:
        """The active key. Raises KeyUnusable if there is none or its custody refuses."""
        ready = self._within(REFRESH_SECONDS)
        if ready is not None:
            return ready
        self._raise_failure(RETRY_SECONDS)
        if self._looking.acquire(blocking=False):
            try:
                return self._look()
            finally:
                self._looking.release()
        ready = self._within(LONGEST_UNSEEN_SECONDS)
        if ready is not None:
            return ready
        self._raise_failure()  # while somebody tries again, nobody waits for what failed just now
        return self._after_somebody_looked()

    def check(self) -> None:
        """Raise KeyUnusable unless the active key could sign now; a token or cloud is asked."""
        probe(self.active().signer)

    def _within(self, seconds: float) -> ReadyKey | None:
        # In this order: _look writes _seen_at last, so a key is never taken for a newer one.
        seen_at, ready = self._seen_at, self._ready
        return ready if ready is not None and self._clock() - seen_at < seconds else None

    def _after_somebody_looked(self) -> ReadyKey:
        if not self._looking.acquire(timeout=LONGEST_WAIT_SECONDS):
            raise KeyUnusable("The signing key is slow to answer.", "Try again in a moment.")
        try:
            ready = self._within(REFRESH_SECONDS)
            if ready is not None:
                return ready
            self._raise_failure(RETRY_SECONDS)
            return self._look()
        finally:
            self._looking.release()

    def _look(self) -> ReadyKey:
        asked_at = self._clock()
        with self._database.reading() as session:
            key = active_key(session)
        self._expiry.look([key], utc_now())
        if self._ready is None or self._ready.key.fingerprint != key.fingerprint:
            self._ready = self._opened(key)
        self._seen_at = asked_at
        return self._ready

    def _opened(self, key: SigningKey) -> ReadyKey:
        try:
            signer = self._open(key, self._settings)
        except KeyUnusable as problem:
            self._ready = None  # the key before is not the active one any more
            self._failure = _Failure(
                key.fingerprint, problem.message, problem.advice, self._clock()
            )
            raise
        self._failure = None
        return ReadyKey(key, signer)

    def _raise_failure(self, younger_than: float = math.inf) -> None:
        failure = self._failure
        if failure is not None and self._clock() - failure.at < younger_than:
            raise KeyUnusable(failure.message, failure.advice)
