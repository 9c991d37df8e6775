"""One connection to one LDAP server, with every dangerous default of ldap3 turned off."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPExceptionError

from idp.directory.ldap import sockets
from idp.directory.ldap.endpoint import Endpoint
from idp.directory.ldap.failure import Refused, ServerFailed, Step
from idp.directory.ldap.sockets import BoundedSocket
from idp.settings.directories import TlsMode

START_TLS = "1.3.6.1.4.1.1466.20037"  # RFC 4511 section 4.14
Control = tuple[str, bool, bytes | None]

# Codes by which a server says that it can't work now, so another one may: operationsError, busy,
# unavailable, other (RFC 4511 appendix A).
_CODES_OF_A_SICK_SERVER = frozenset((1, 51, 52, 80))


@dataclass(frozen=True, slots=True)
class Transport:
    """How servers of one directory are reached; `seconds` is for each connect and each answer."""

    tls: TlsMode
    ca_file: Path | None
    seconds: float

    def context(self) -> ssl.SSLContext:
        """A context that checks chain and host name. Raises OSError, ssl.SSLError for `ca_file`.

        The CA file is read again when it changes, so that a new CA needs no restart.
        """
        changed_at = self.ca_file.stat().st_mtime_ns if self.ca_file else 0
        return _verifying(self.ca_file, changed_at)


@dataclass(frozen=True, slots=True)
class Answer:
    """An LDAP result. `controls` maps OIDs to the values of the controls that came with it."""

    code: int
    description: str
    message: str
    controls: dict[str, bytes]


class Connection:
    """An open connection, used by one thread at a time.

    Referrals are never followed (ldap3 would send the password there, in clear), the schema is not
    read, and every operation has its time.
    """

    def __init__(self, endpoint: Endpoint, transport: Transport) -> None:
        """Connect and, unless told otherwise, check who is there. Raises ServerFailed."""
        self.endpoint = endpoint
        self.seconds = transport.seconds
        self.references: tuple[str, ...] = ()
        context = _context(endpoint, transport) if transport.tls != "none" else None
        self._socket = sockets.connect(endpoint, transport.seconds)
        self._inner = _adopt(endpoint, self._socket)
        try:
            if transport.tls == "starttls":
                self._call(Step.TLS, self._inner.extended, START_TLS)
                self._require(Step.TLS, self.result())
            if context is not None:
                self._shake_hands(context)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def tls_version(self) -> str | None:
        """Like "TLSv1.3"; None without TLS."""
        return self._socket.tls_version

    @property
    def is_stale(self) -> bool:
        """Whether the server has ended it, or said something that nobody asked for."""
        try:
            return self._inner.closed or self._socket.has_news()
        except (OSError, ValueError):
            return True

    def bind(self, dn: str, password: bytes, controls: Sequence[Control] = ()) -> Answer:
        """Say who we are, and give the server's answer, whatever it is. Raises ServerFailed.

        An empty name or password is refused here: with either, a server may take the bind for an
        anonymous one and say yes (RFC 4513 sections 5.1.1 and 5.1.2). So are bytes that are not
        UTF-8, which ldap3 can't send. Both are a ValueError: callers have to look before.
        """
        if not dn or not password:
            raise ValueError("a bind needs a name and a password")
        try:
            password.decode()
        except UnicodeDecodeError:
            raise ValueError("a password has to be UTF-8") from None
        self._inner.user, self._inner.password = dn, password
        self._inner.authentication = ldap3.SIMPLE
        try:
            return self._bind(controls)
        finally:
            self._inner.password = None

    def bind_anonymously(self) -> Answer:
        """Say that we are nobody, on purpose. Raises ServerFailed."""
        self._inner.authentication = ldap3.ANONYMOUS
        return self._bind(())

    def search(self, seconds: float | None = None, **options: Any) -> list[dict[str, Any]]:
        """The entries that ldap3's search gives; `result` and `references` hold the rest after.

        `references` are the addresses of other servers, where what lies there would have to be
        asked for. Nobody follows them. Raises ServerFailed.
        """
        self._socket.allow(seconds or self.seconds)
        found = self._call(Step.SEARCH, self._inner.search, **options)
        self.references = tuple(
            str(address)
            for each in found
            if each.get("type") == "searchResRef"
            for address in each.get("uri") or ("?",)
        )
        return [each for each in found if each.get("type") == "searchResEntry"]

    def result(self) -> Answer:
        """What the server said at the end of the last operation. Raises ServerFailed."""
        result = self._inner.result or {}
        return Answer(
            int(result.get("result", 80)),
            str(result.get("description", "")),
            str(result.get("message", "")),
            {
                oid: control.get("value") or b""
                for oid, control in (result.get("controls") or {}).items()
                if isinstance(control.get("value"), bytes | None)
            },
        )

    def page_cookie(self) -> bytes:
        """The cookie of the last page, b"" if there are no more (RFC 2696)."""
        controls = (self._inner.result or {}).get("controls") or {}
        value = controls.get("1.2.840.113556.1.4.319", {}).get("value")
        cookie = value.get("cookie") if isinstance(value, dict) else None
        return cookie if isinstance(cookie, bytes) else b""

    def require_healthy(self, step: Step, answer: Answer) -> None:
        """Raise ServerFailed if the answer says that the server can't work now.

        It is a doubtful one: servers also say so of a single entry that they can't cope with.
        """
        if says_sick(answer):
            raise ServerFailed(self.endpoint, step, _words(answer), doubtful=True)

    def close(self) -> None:
        """Say good-bye if that can be done, and close. Never raises."""
        try:
            self._socket.allow(0.2)
            if not self._inner.closed:
                self._inner.unbind()
        except (LDAPExceptionError, OSError, AttributeError):
            pass
        finally:
            self._socket.close()

    def _bind(self, controls: Sequence[Control]) -> Answer:
        self._call(Step.BIND, self._inner.bind, read_server_info=False, controls=list(controls))
        return self.result()

    def _call(
        self, step: Step, operation: Any, *arguments: Any, **options: Any
    ) -> list[dict[str, Any]]:
        """Do an operation; gives the response, while `result` gives what stood at its end."""
        try:
            _, _, response, _ = operation(*arguments, **options)
        except Exception as problem:  # ldap3 and pyasn1 raise anything at answers they can't read
            raise self._failed(step, problem) from None
        return response or []

    def _require(self, step: Step, answer: Answer) -> None:
        if answer.code:
            raise ServerFailed(self.endpoint, step, _words(answer))

    def _shake_hands(self, context: ssl.SSLContext) -> None:
        try:
            self._socket.start_tls(context, self.endpoint.host)
        except ssl.SSLCertVerificationError as problem:
            reason = f"the certificate is not accepted: {problem.verify_message}"
            raise ServerFailed(self.endpoint, Step.TLS, reason) from None
        except (OSError, ValueError) as problem:
            timed_out = isinstance(problem, TimeoutError)
            reason = (
                "no answer in time" if timed_out else getattr(problem, "reason", "") or str(problem)
            )
            raise ServerFailed(self.endpoint, Step.TLS, reason, timed_out) from None

    def _failed(self, step: Step, problem: Exception) -> ServerFailed:
        if self._socket.timed_out:
            return ServerFailed(self.endpoint, step, "no answer in time", True)
        return ServerFailed(self.endpoint, step, f"{type(problem).__name__}")


def says_sick(answer: Answer) -> bool:
    """Whether the answer says that the server can't work now."""
    return answer.code in _CODES_OF_A_SICK_SERVER


def required(answer: Answer) -> None:
    """Raise Refused unless `answer` is success."""
    if answer.code:
        raise Refused(answer.code, answer.description, answer.message)


def _adopt(endpoint: Endpoint, opened: BoundedSocket) -> ldap3.Connection:
    """An ldap3 connection over our socket.

    ldap3's own way takes the first address alone, and its time-outs are those of single reads.
    """
    inner = ldap3.Connection(
        ldap3.Server(endpoint.host, endpoint.port, get_info=ldap3.NONE),
        client_strategy=ldap3.SAFE_SYNC,
        auto_referrals=False,
        auto_range=False,  # the rest of a long list could be missing without a word
        check_names=False,
        raise_exceptions=False,
        return_empty_attributes=False,
    )
    inner.strategy._outstanding = {}  # as strategy.open does, besides opening a socket
    inner.socket = opened
    inner.closed = False
    inner.listening = True
    return inner


@lru_cache(maxsize=16)
def _verifying(ca_file: Path | None, _changed_at: int) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _context(endpoint: Endpoint, transport: Transport) -> ssl.SSLContext:
    try:
        return transport.context()
    except (OSError, ssl.SSLError) as problem:
        reason = f"the CA file {transport.ca_file} can't be read: {problem.strerror or problem}"
        raise ServerFailed(endpoint, Step.TLS, reason) from None


def _words(answer: Answer) -> str:
    return f"{answer.description} ({answer.code}){': ' if answer.message else ''}{answer.message}"
