"""Asking the servers of one directory: searches as the service account, binds as a person."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from idp.directory.interface import DirectoryUnavailable
from idp.directory.ldap import password_policy
from idp.directory.ldap.bind_password import BindPasswordUnusable, read_bind_password
from idp.directory.ldap.connection import Answer, Connection, Control, Transport
from idp.directory.ldap.discovery import Discovery
from idp.directory.ldap.endpoint import Endpoint
from idp.directory.ldap.failure import NoServer, Refused, ServerFailed, Step
from idp.directory.ldap.password_policy import policy_error
from idp.directory.ldap.pool import ServicePool
from idp.directory.ldap.servers import Servers
from idp.directory.ldap.tree import TooManyGroups
from idp.settings.directories import DirectorySettings

log = logging.getLogger("idp.directory")

T = TypeVar("T")


class Client:
    """All that LDAP directories of any kind have in common on the wire."""

    def __init__(
        self,
        settings: DirectorySettings,
        listed: Callable[[], Sequence[Endpoint]] | None = None,
        delays: Sequence[float] | None = None,
    ) -> None:
        """`listed` gives the servers, in place of the settings; `delays` as in Servers."""
        self.settings = settings
        self.transport = Transport(settings.tls, settings.ca_file, settings.timeout_seconds)
        more = {} if delays is None else {"delays": delays}
        self.listed = listed or listed_servers(settings)
        self.servers = Servers(settings.name, self.listed, self._probe, **more)
        self._pool = ServicePool(self.servers, self.open_service, settings.idle_seconds)
        if settings.tls == "none":
            log.warning("passwords cross the network in clear", extra={"directory": settings.name})

    def ask(self, work: Callable[[Connection], T]) -> T:
        """Do `work`, which has to be repeatable, as the service account.

        Raises DirectoryUnavailable if no server can, or if one answers with anything but a whole
        answer: nothing is concluded from half of one.
        """
        return self._or_unavailable(lambda: self._pool.run(work))

    def check_password(self, dn: str, password: bytes, controls: Sequence[Control] = ()) -> Answer:
        """What a server says to a bind as `dn`, on a connection of its own that is closed then.

        Raises DirectoryUnavailable.
        """

        def bind(endpoint: Endpoint) -> Answer:
            with Connection(endpoint, self.transport) as connection:
                return connection.bind(dn, password, controls)

        return self._or_unavailable(lambda: self.servers.attempt(bind))

    def stream(self, work: Callable[[Connection], Iterator[T]]) -> Iterator[T]:
        """What `work` yields over a connection that is its own. Raises DirectoryUnavailable.

        Other than `ask`, it does not begin anew with another server: what came is passed on.
        """
        connection = self._or_unavailable(lambda: self.servers.attempt(self.open_service))
        with connection:
            found = work(connection)
            while True:
                try:
                    each = next(found)
                except StopIteration:
                    return
                except (ServerFailed, Refused) as problem:
                    raise self._unavailable(problem) from None
                yield each

    def open_service(self, endpoint: Endpoint) -> Connection:
        """A connection on which the service account is bound. Raises ServerFailed."""
        connection = Connection(endpoint, self.transport)
        try:
            self.bind_service(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close every connection that lies idle."""
        self.servers.close()
        self._pool.close()

    def bind_service(self, connection: Connection) -> None:
        """Bind the account that searches. Raises ServerFailed."""
        if not self.settings.bind_dn:
            answer = connection.bind_anonymously()
        else:
            try:
                secret = read_bind_password(self.settings)
            except BindPasswordUnusable as problem:
                raise ServerFailed(connection.endpoint, Step.BIND, str(problem)) from None
            answer = connection.bind(
                self.settings.bind_dn, secret, [(password_policy.CONTROL, False, None)]
            )
        policy = policy_error(answer.controls.get(password_policy.CONTROL, b""))
        if answer.code or policy:
            who = self.settings.bind_dn or "nobody"
            said = policy or answer.message
            reason = f"refused to {who}: {answer.description} ({answer.code})"
            reason += f": {said}" if said else ""
            raise ServerFailed(connection.endpoint, Step.BIND, reason)

    def _probe(self, endpoint: Endpoint) -> None:
        self.open_service(endpoint).close()

    def _or_unavailable(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (NoServer, Refused, TooManyGroups) as problem:
            raise self._unavailable(problem) from None

    def _unavailable(self, problem: Exception) -> DirectoryUnavailable:
        if isinstance(problem, NoServer):
            reason, detail = str(problem), str(problem.last or "")
        elif isinstance(problem, TooManyGroups):
            reason = "it names more groups than are allowed"
            detail = f"more than {self.settings.most_groups} groups"
        else:
            reason, detail = "it gave no usable answer", str(problem)
        log.error(
            "a directory can't be asked",
            extra={"directory": self.settings.name, "reason": reason, "detail": detail},
        )
        return DirectoryUnavailable(self.settings.name, reason)


def listed_servers(settings: DirectorySettings) -> Callable[[], Sequence[Endpoint]]:
    """A function that gives the servers which the settings name, or DNS."""
    if settings.srv_record:
        return Discovery(settings.srv_record, settings.tls, seconds=settings.timeout_seconds)
    endpoints = [Endpoint.parse(text, settings.tls) for text in settings.servers]
    return lambda: endpoints
