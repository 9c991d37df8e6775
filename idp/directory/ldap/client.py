"""Asking the servers of one directory: searches as the service account, binds as a person."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from idp.directory.interface import DirectoryUnavailable, PersonUnavailable
from idp.directory.ldap import password_policy
from idp.directory.ldap.bind_password import BindPasswordUnusable, read_bind_password
from idp.directory.ldap.connection import Answer, Connection, Control, Transport, says_sick
from idp.directory.ldap.discovery import Discovery
from idp.directory.ldap.endpoint import Endpoint
from idp.directory.ldap.failure import NoServer, Refused, ServerFailed, Step
from idp.directory.ldap.password_policy import policy_error
from idp.directory.ldap.pool import ServicePool
from idp.directory.ldap.search import read
from idp.directory.ldap.servers import Servers
from idp.directory.ldap.tree import GroupsNotWhole
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

        A server that fails at this bind may do so for this entry alone, so another one is asked
        and only our own account says whether that one is left out. Raises DirectoryUnavailable.
        """

        def bind(endpoint: Endpoint) -> Answer:
            with Connection(endpoint, self.transport) as connection:
                try:
                    answer = connection.bind(dn, password, controls)
                except ServerFailed as failure:
                    failure.doubtful = True
                    raise
                connection.require_healthy(Step.BIND, answer)
                return answer

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
                raise ServerFailed(
                    connection.endpoint, Step.BIND, str(problem), refused=True
                ) from None
            answer = connection.bind(
                self.settings.bind_dn, secret, [(password_policy.CONTROL, False, None)]
            )
        policy = policy_error(answer.controls.get(password_policy.CONTROL, b""))
        if answer.code or policy:
            who = self.settings.bind_dn or "nobody"
            said = policy or answer.message
            reason = f"refused to {who}: {answer.description} ({answer.code})"
            reason += f": {said}" if said else ""
            raise ServerFailed(
                connection.endpoint, Step.BIND, reason, refused=not says_sick(answer)
            )

    def _probe(self, endpoint: Endpoint) -> None:
        """Do what a sign-in does first: bind, and search where people are."""
        with self.open_service(endpoint) as connection:
            try:
                read(connection, self.settings.user_base_dn or self.settings.base_dn, ["1.1"])
            except Refused:
                return  # it answers: what it says is another matter

    def _or_unavailable(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except GroupsNotWhole as problem:
            log.error(
                "the groups of somebody can't be known",
                extra={"directory": self.settings.name, "reason": problem.word},
            )
            raise PersonUnavailable(self.settings.name, problem.reason, problem.word) from None
        except (NoServer, Refused) as problem:
            raise self._unavailable(problem) from None

    def _unavailable(self, problem: Exception) -> DirectoryUnavailable:
        of_one = isinstance(problem, NoServer) and self._fails_for_one(problem)
        if isinstance(problem, NoServer) and not of_one:
            reason, detail = str(problem), str(problem.last or "")
        else:
            last = problem.last if isinstance(problem, NoServer) else None
            reason, detail = "it gave no usable answer", str(last or problem)
        log.error(
            "a directory can't be asked",
            extra={"directory": self.settings.name, "reason": reason, "detail": detail},
        )
        if of_one:
            return PersonUnavailable(self.settings.name, reason, "no_usable_answer")
        return DirectoryUnavailable(self.settings.name, reason)

    def _fails_for_one(self, problem: NoServer) -> bool:
        """Whether there are servers that work, for anybody but the one who was asked for."""
        doubtful = problem.last is not None and problem.last.doubtful
        return doubtful and bool(self.servers.usable())


def listed_servers(settings: DirectorySettings) -> Callable[[], Sequence[Endpoint]]:
    """A function that gives the servers which the settings name, or DNS."""
    if settings.srv_record:
        return Discovery(
            settings.srv_record,
            settings.tls,
            domains=settings.srv_domains,
            seconds=settings.timeout_seconds,
        )
    endpoints = [Endpoint.parse(text, settings.tls) for text in settings.servers]
    return lambda: endpoints
