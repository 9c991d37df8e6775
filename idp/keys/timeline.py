"""The life of each key in time, as a terminal or a page draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from idp.keys.signing_key import KeyState, SigningKey


@dataclass(frozen=True, slots=True)
class Period:
    """A key was in `state` from `begin` to `end`, which is now for the state it is in."""

    state: KeyState
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key: when it was published or signed, and when its certificate is valid."""

    key: SigningKey
    periods: tuple[Period, ...]
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    """All keys between `begin` and `end`; `now` lies between them."""

    lines: tuple[KeyLine, ...]
    begin: datetime
    end: datetime
    now: datetime

    def share(self, moment: datetime) -> float:
        """Where a moment lies between begin (0) and end (1); outside of them, at the nearer one."""
        length = (self.end - self.begin).total_seconds()
        share = (moment - self.begin).total_seconds() / length if length else 0.0
        return min(max(share, 0.0), 1.0)


def timeline(keys: Sequence[SigningKey], now: datetime) -> Timeline:
    """Draw up the lines of `keys`, in their order."""
    lines = tuple(_line(key, now) for key in keys)
    moments = [now]
    for line in lines:
        moments += [line.valid_from, line.valid_until, line.key.created_at]
    return Timeline(lines, min(moments), max(moments), now)


def _line(key: SigningKey, now: datetime) -> KeyLine:
    return KeyLine(
        key,
        tuple(_periods(key, now)),
        key.certificate.not_valid_before_utc,
        key.certificate.not_valid_after_utc,
    )


def _periods(key: SigningKey, now: datetime) -> list[Period]:
    """Up to three periods. A moment that was not written down counts as the one after it."""
    ended = key.retired_at or key.revoked_at
    end = ended or now
    begins = (
        (KeyState.NEXT, key.created_at),
        (KeyState.ACTIVE, key.activated_at),
        (KeyState.RETIRING, key.retiring_at),
    )
    known = [(state, begin) for state, begin in begins if begin is not None]
    ends = [begin for _, begin in known[1:]] + [end]
    return [
        Period(state, begin, until)
        for (state, begin), until in zip(known, ends, strict=True)
        if until > begin
    ]
