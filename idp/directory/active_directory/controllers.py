"""The domain controllers of one directory: found, connected to, asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from idp.directory.active_directory.groups import dns_name, domain_of
from idp.directory.ldap.connection import Answer, Connection, Transport
from idp.directory.ldap.discovery import Discovery
from idp.directory.ldap.endpoint import Endpoint
from idp.directory.ldap.failure import ServerFailed, Step
from idp.directory.ldap.pool import ServicePool
from idp.directory.ldap.servers import Servers
from idp.settings.directories import DirectorySettings

T = TypeVar("T")


class Controllers:
    """Searches with the service account, on kept connections; signs people on, on new ones."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._transport = Transport(settings.tls, settings.ca_file, settings.timeout_seconds)
        self._servers = Servers(settings.name, _listed(settings), self._probe)
        self._pool = ServicePool(self._servers, self._open_bound, settings.idle_seconds)

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do `work`, which has to be repeatable, as the service account. Raises NoServer."""
        return self._pool.run(work)

    def sign_on(self, dn: str, password: bytes) -> Answer:
        """The answer of a controller to a name and a password. Raises NoServer."""

        def bind(endpoint: Endpoint) -> Answer:
            with Connection(endpoint, self._transport) as connection:
                return connection.bind(dn, password)

        return self._servers.attempt(bind)

    def close(self) -> None:
        """Close what is open."""
        self._servers.close()
        self._pool.close()

    def _probe(self, endpoint: Endpoint) -> None:
        self._open_bound(endpoint).close()

    def _open_bound(self, endpoint: Endpoint) -> Connection:
        connection = Connection(endpoint, self._transport)
        try:
            answer = connection.bind(self._settings.bind_dn, self._password(endpoint))
            if answer.code:
                reason = f"the service account is refused: {answer.description} {answer.message}"
                raise ServerFailed(endpoint, Step.BIND, reason)
        except BaseException:
            connection.close()
            raise
        return connection

    def _password(self, endpoint: Endpoint) -> bytes:
        file, variable = self._settings.bind_password_file, self._settings.bind_password_env
        if file is None:
            secret = os.environ.get(variable, "").encode()
            reason = f"the variable {variable} is not set"
        else:
            secret, reason = _content(file)
        if not secret:
            raise ServerFailed(endpoint, Step.BIND, reason)
        return secret


def _content(file: Path) -> tuple[bytes, str]:
    """What a file of ours alone holds, without the end of its line; or why not."""
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o037:
            return b"", f"others can read or change {file}; run: chmod 0600 {file}"
        return file.read_bytes().rstrip(b"\r\n"), f"{file} is empty"
    except OSError as problem:
        return b"", f"{file} can't be read: {problem.strerror}"


def srv_record(settings: DirectorySettings) -> str:
    """The DNS record that lists the controllers: as set, or the one that Windows publishes.

    _ldap._tcp.dc._msdcs.DOMAIN for controllers, _gc._tcp.FOREST for global catalogues ([MS-ADTS]
    6.3.2.3); the domain is that of base_dn.
    """
    if settings.srv_record:
        return settings.srv_record
    domain = dns_name(domain_of(settings.user_base_dn or settings.base_dn))
    return f"_gc._tcp.{domain}" if settings.global_catalogue else f"_ldap._tcp.dc._msdcs.{domain}"


def _listed(settings: DirectorySettings) -> Callable[[], Sequence[Endpoint]]:
    if not settings.servers:
        return Discovery(srv_record(settings), settings.tls, seconds=settings.timeout_seconds)
    fixed = [Endpoint.parse(server, settings.tls) for server in settings.servers]
    if settings.global_catalogue:
        ports = {636: 3269, 389: 3268}
        fixed = [Endpoint(each.host, ports.get(each.port, each.port)) for each in fixed]
    return lambda: fixed
