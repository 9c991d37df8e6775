"""Whether an account may be used now, as its entry says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

_DISABLED = 0x2  # userAccountControl, [MS-ADTS] 2.2.16
_LOCKED = 0x10  # msDS-User-Account-Control-Computed, [MS-ADTS] 3.1.1.4.5.17
_PASSWORD_EXPIRED = 0x800000  # also when the password has to be changed at the next sign-in
_NEVER = (0, 0x7FFFFFFFFFFFFFFF)
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_HOURS_OF_A_WEEK = 168

# What `refusal` reads. The constructed one has to be asked for by name.
STATE_ATTRIBUTES = (
    "userAccountControl",
    "msDS-User-Account-Control-Computed",
    "lockoutTime",
    "accountExpires",
    "logonHours",
)

Values = Mapping[str, Sequence[bytes]]


def refusal(entry: Values, now: datetime) -> str:
    """The word for why this account may not be used at `now`, "" if it may.

    `entry` has lower-case attribute names. An account whose state can't be read is refused.
    """
    control = _number(entry, "useraccountcontrol")
    if control is None or control & _DISABLED:
        return "disabled"
    computed = _number(entry, "msds-user-account-control-computed")
    if _is_locked(entry, computed):
        return "locked"
    if _has_ended(entry, now):
        return "account_expired"
    if computed is not None and computed & _PASSWORD_EXPIRED:
        return "expired"
    return "" if _hour_is_allowed(entry, now) else "logon_hours"


def _is_locked(entry: Values, computed: int | None) -> bool:
    """The computed bit knows when a lock-out is over; a global catalogue may not have it."""
    if computed is not None:
        return bool(computed & _LOCKED)
    return bool(_number(entry, "lockouttime"))


def _has_ended(entry: Values, now: datetime) -> bool:
    """accountExpires counts 100 nanoseconds since 1601; 0 and the largest number say never."""
    ends = _number(entry, "accountexpires")
    if ends is None or ends in _NEVER:
        return False
    try:
        return _EPOCH + timedelta(microseconds=ends // 10) <= now
    except OverflowError:
        return ends < 0


def _hour_is_allowed(entry: Values, now: datetime) -> bool:
    """logonHours has a bit for each hour of the week in UTC, from Sunday's first on."""
    values = entry.get("logonhours")
    if not values or len(values[0]) * 8 != _HOURS_OF_A_WEEK:
        return True
    utc = now.astimezone(UTC)
    hour = (utc.weekday() + 1) % 7 * 24 + utc.hour
    return bool(values[0][hour // 8] >> hour % 8 & 1)


def _number(entry: Values, name: str) -> int | None:
    values = entry.get(name)
    try:
        return int(values[0]) if values else None
    except ValueError:
        return None
