"""Times as people type them: how long ago, or a date."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from idp.errors import IdpError

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class NoMoment(IdpError):
    """A time can't be understood."""


def parse_moment(text: str, now: datetime) -> datetime:
    """The time that "2h" before `now` was, or that an ISO 8601 text says; UTC if it names no zone.

    Raises NoMoment.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NoMoment(
            f"{text[:64]!r} is not a time.",
            "Write how long ago, like 90s, 30m, 2h, 7d, 4w; or a date, like 2026-11-23T12:00Z.",
        ) from None
