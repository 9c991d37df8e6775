"""Slows down guessing at passwords, and leaves nobody locked out of a browser that is known."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.db.models import SignInFailureRow
from idp.directory.usernames import username_key
from idp.errors import IdpError
from idp.settings import SignInSettings

_PRUNED_AT_ONCE = 100


class TooManyAttempts(IdpError):
    """Attempts have used up a limit; `retry_after` is in seconds."""

    status = 429

    def __init__(self, retry_after: int) -> None:
        minutes = math.ceil(retry_after / 60)
        super().__init__(
            "There were too many attempts to sign in.",
            f"Try again in {minutes} minute{'s' if minutes > 1 else ''}.",
        )
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Attempt:
    """A reserved attempt: it counts as a failure unless it is taken back.

    `rows` are the ids of its rows in sign_in_failures, `own` the keys that only the person at
    this place fills: the ones that a success empties.
    """

    rows: tuple[int, ...]
    own: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Counter:
    key: str
    limit: int


class Throttle:
    """Counts failures within a sliding window, the same for names that do not exist.

    A browser with a device token for the typed name has a counter of its own and no other, so a
    stranger's failures never keep it out. All others share three counters: person and network,
    person, and network (OWASP, "Slow Down Online Guessing Attacks with Device Cookies").
    """

    def __init__(self, database: Database, settings: SignInSettings) -> None:
        self._database = database
        self._settings = settings
        self._window = timedelta(minutes=settings.window_minutes)

    def reserve(
        self,
        username: str,
        address: str,
        browser_id: str | None,
        now: datetime,
        *,
        network_too: bool = True,
    ) -> Attempt:
        """Count an attempt before the password is checked, so that guesses sent at once can't race.

        `browser_id` comes from BrowserTokens.recognise. `network_too` False leaves the counter of
        the network out, for the second name of one and the same attempt. Attempts beyond a limit
        are refused and not counted, so that waiting helps. Raises TooManyAttempts.
        """
        counters = self._counters(username, address, browser_id)
        if not network_too:
            counters = counters[:2]
        with self._database.writing() as session:
            self._take_turns(session, [counter.key for counter in counters])
            wait = max(self._wait(session, counter, now) for counter in counters)
            if wait <= timedelta():
                rows = [SignInFailureRow(key_hash=counter.key, at=now) for counter in counters]
                session.add_all(rows)
                session.flush()
                self._prune(session, now)
        if wait > timedelta():
            raise TooManyAttempts(math.ceil(wait.total_seconds()))
        return Attempt(tuple(row.id for row in rows), own=(counters[0].key,))

    def record_success(self, *attempts: Attempt) -> None:
        """Take the attempts back and empty the person's own counters at this place.

        The counters that strangers share keep their failures: a password of one's own must not
        buy guesses at the passwords of others.
        """
        own = [key for attempt in attempts for key in attempt.own]
        rows = [row for attempt in attempts for row in attempt.rows]
        with self._database.writing() as session:
            self._take_turns(session, own)
            session.execute(delete(SignInFailureRow).where(SignInFailureRow.key_hash.in_(own)))
            session.execute(delete(SignInFailureRow).where(SignInFailureRow.id.in_(rows)))

    def take_back(self, *attempts: Attempt) -> None:
        """Uncount attempts that no directory could judge."""
        rows = [row for attempt in attempts for row in attempt.rows]
        with self._database.writing() as session:
            session.execute(delete(SignInFailureRow).where(SignInFailureRow.id.in_(rows)))

    def _counters(self, username: str, address: str, browser_id: str | None) -> list[_Counter]:
        settings = self._settings
        person = counted_name(username)
        if browser_id is not None:
            key = _key("browser", person, browser_id)
            return [_Counter(key, settings.failures_per_person_and_network)]
        network = network_of(address)
        return [
            _Counter(
                _key("person+network", person, network), settings.failures_per_person_and_network
            ),
            _Counter(_key("person", person), settings.failures_per_person),
            _Counter(_key("network", network), settings.failures_per_network),
        ]

    def _wait(self, session: Session, counter: _Counter, now: datetime) -> timedelta:
        """How long until the counter is below its limit: until its limit-th newest row is old."""
        oldest_that_counts = session.scalar(
            select(SignInFailureRow.at)
            .where(
                SignInFailureRow.key_hash == counter.key, SignInFailureRow.at > now - self._window
            )
            .order_by(SignInFailureRow.at.desc())
            .offset(counter.limit - 1)
            .limit(1)
        )
        return oldest_that_counts + self._window - now if oldest_that_counts else timedelta()

    def _take_turns(self, session: Session, keys: list[str] | tuple[str, ...]) -> None:
        """Let attempts of one counter pass one by one; SQLite has one writer at a time anyway."""
        if not self._database.is_sqlite:
            for number in sorted(
                int.from_bytes(bytes.fromhex(key[:16]), signed=True) for key in keys
            ):
                session.execute(select(func.pg_advisory_xact_lock(number)))

    def _prune(self, session: Session, now: datetime) -> None:
        """Delete some rows that no window reaches: more than an attempt adds, so few stay."""
        old = (
            select(SignInFailureRow.id)
            .where(SignInFailureRow.at <= now - self._window)
            .order_by(SignInFailureRow.at)
            .limit(_PRUNED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        ids = list(session.scalars(old))
        if ids:
            session.execute(delete(SignInFailureRow).where(SignInFailureRow.id.in_(ids)))


def counted_name(username: str) -> str:
    """The typed name as the counters know it: the user name's key without accents.

    Some directories take é for e, so every spelling of a name has to fill the same counter.
    """
    decomposed = unicodedata.normalize("NFKD", username_key(username))
    return "".join(c for c in decomposed if not unicodedata.category(c).startswith("M"))


def network_of(address: str) -> str:
    """The network that one attacker has for himself: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _key(*parts: str) -> str:
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()
