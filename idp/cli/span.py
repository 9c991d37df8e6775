"""A span of time as people write it in an option: 90m, 72h, 14d."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import click

_WRITTEN = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Span(click.ParamType[timedelta]):
    """Gives a timedelta."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read it, or end the command with exit code 2."""
        if isinstance(value, timedelta):
            return value
        match = _WRITTEN.fullmatch(str(value))
        if not match:
            self.fail(f"{value!r} is no span of time; write it like 90m, 72h or 14d.", param, ctx)
        return timedelta(**{_UNITS[match[2]]: int(match[1])})


def written(span: timedelta) -> str:
    """The span in the largest unit that fits exactly; Span reads it back."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
