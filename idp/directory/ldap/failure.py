"""What can go wrong between us and an LDAP server."""

from __future__ import annotations

from enum import StrEnum

from idp.directory.ldap.endpoint import Endpoint


class Step(StrEnum):
    """The steps of asking a server something, in their order."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    BIND = "bind"
    SEARCH = "search"


class ServerFailed(Exception):
    """One server did not do its part; another one may.

    `timed_out` says that it was silent, `step` how far we got. `refused` says that it let our own
    account not in, `doubtful` that it may have failed for what was asked alone: for one person's
    entry or password. `reason` holds no secret: it is for the log and for `idp directory check`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        step: Step,
        reason: str,
        timed_out: bool = False,
        *,
        refused: bool = False,
        doubtful: bool = False,
    ) -> None:
        super().__init__(f"{endpoint}: {step}: {reason}")
        self.endpoint = endpoint
        self.step = step
        self.reason = reason
        self.timed_out = timed_out
        self.refused = refused
        self.doubtful = doubtful


class NoServer(Exception):
    """No server of the directory can be asked. `last` is what the last one failed with."""

    def __init__(self, reason: str, last: ServerFailed | None = None) -> None:
        super().__init__(reason)
        self.last = last


class Refused(Exception):
    """The server answered, and the answer was no (or not all): an LDAP result code but success.

    RFC 4511 section 4.1.9 lists the codes; `message` is the server's diagnostic message.
    """

    def __init__(self, code: int, description: str, message: str = "") -> None:
        super().__init__(f"{description} ({code}){': ' if message else ''}{message}")
        self.code = code
        self.description = description
