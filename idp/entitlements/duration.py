"""Session lengths as people write them: 900s, 90m, 4h."""

from __future__ import annotations

import re

from idp.aws.limits import LONGEST_SESSION, SHORTEST_SESSION
from idp.errors import IdpError

DEFAULT = 3600

_WRITTEN = re.compile(r"(?P<count>[0-9]{1,6})(?P<unit>[smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class BadDuration(IdpError):
    """A session length that can't be read, or that STS would refuse."""


def parse_duration(text: str) -> int:
    """Read "900s", "90m" or "4h" as seconds, 900 to 43,200 (STS AssumeRoleWithSAML).

    Raises BadDuration.
    """
    match = _WRITTEN.fullmatch(text)
    if not match:
        raise BadDuration(f"{text!r} is not a duration.", 'Write it like "1h", "90m" or "900s".')
    seconds = int(match["count"]) * _SECONDS[match["unit"]]
    if not SHORTEST_SESSION <= seconds <= LONGEST_SESSION:
        raise BadDuration(
            f"{text!r} is {seconds:,} seconds, and AWS takes 15 minutes to 12 hours.",
            'Write a duration from "15m" to "12h".',
        )
    return seconds


def parse_session_length(text: str) -> int:
    """As parse_duration, and plain seconds, the way directories keep a SessionDuration."""
    return parse_duration(f"{text}s" if text.isascii() and text.isdigit() else text)


def format_duration(seconds: int) -> str:
    """Write seconds in the largest unit that fits exactly; parse_duration reads it back."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
