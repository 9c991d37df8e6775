"""The active key, ready to sign, kept by each process and looked up anew every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from idp.db.engine import Database
from idp.keys.file_custody import FileSigner, open_signer
from idp.keys.signing_key import SigningKey
from idp.keys.store import active_key

REFRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ReadyKey:
    """The active key with its private half at hand."""

    key: SigningKey
    signer: FileSigner


class KeyRing:
    """Gives the active key without asking the database at every sign-in.

    A key that another process activates is used here within REFRESH_SECONDS.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._ready: ReadyKey | None = None
        self._looked_at = 0.0

    def active(self) -> ReadyKey:
        """The active key. Raises KeyUnusable if there is none or its file can't be used."""
        ready = self._ready
        if ready is not None and self._clock() - self._looked_at < REFRESH_SECONDS:
            return ready
        with self._lock:
            with self._database.reading() as session:
                key = active_key(session)
            if self._ready is None or self._ready.key.fingerprint != key.fingerprint:
                self._ready = ReadyKey(key, open_signer(key))
            self._looked_at = self._clock()
            return self._ready
