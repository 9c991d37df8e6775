"""How near a certificate's end is, in steps that people are warned at."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from idp.keys.signing_key import SigningKey

WARN_AT_DAYS = (60, 30, 14, 7, 0)

log = logging.getLogger("idp.keys")


def days_left(key: SigningKey, now: datetime) -> float:
    """Days until the key's certificate ends; negative after that."""
    return (key.certificate.not_valid_after_utc - now) / timedelta(days=1)


def threshold(key: SigningKey, now: datetime) -> int | None:
    """The last of WARN_AT_DAYS that was passed; None if the end is farther away."""
    left = days_left(key, now)
    passed = [days for days in WARN_AT_DAYS if left <= days]
    return min(passed) if passed else None


class ExpiryWarnings:
    """Logs a warning when a key passes a threshold; once for each, in each process."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def look(self, keys: Sequence[SigningKey], now: datetime) -> None:
        """Warn of the published keys among `keys` that have passed another threshold."""
        for key in keys:
            passed = threshold(key, now) if key.state.published else None
            if passed is None or self._told.get(key.id) == passed:
                continue
            self._told[key.id] = passed
            level = logging.ERROR if passed <= 7 else logging.WARNING
            log.log(
                level,
                "a signing certificate ends soon",
                extra={
                    "key": key.id,
                    "state": key.state.value,
                    "days_left": round(days_left(key, now), 1),
                    "advice": "idp certs rotate",
                },
            )
