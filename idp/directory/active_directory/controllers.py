"""Where the domain controllers of a directory are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from idp.directory.active_directory.groups import domain_of
from idp.directory.ldap.discovery import Discovery
from idp.directory.ldap.endpoint import Endpoint
from idp.settings.directories import DirectorySettings

# Where a controller that is a global catalogue answers for the whole forest.
_CATALOGUE_PORTS = {636: 3269, 389: 3268}


def listed_controllers(settings: DirectorySettings) -> Callable[[], Sequence[Endpoint]]:
    """A function that gives the controllers which the settings name, or DNS."""
    if not settings.servers:
        return Discovery(srv_record(settings), settings.tls, seconds=settings.timeout_seconds)
    endpoints = [Endpoint.parse(text, settings.tls) for text in settings.servers]
    if settings.global_catalogue:
        endpoints = [
            Endpoint(each.host, _CATALOGUE_PORTS.get(each.port, each.port)) for each in endpoints
        ]
    return lambda: endpoints


def srv_record(settings: DirectorySettings) -> str:
    """The DNS record that lists the controllers: as set, or the one that Windows publishes.

    _ldap._tcp.dc._msdcs.DOMAIN for controllers, _gc._tcp.FOREST for global catalogues ([MS-ADTS]
    6.3.2.3); the name is that of the domain in which base_dn lies.
    """
    if settings.srv_record:
        return settings.srv_record
    domain = dns_name(domain_of(settings.user_base_dn or settings.base_dn))
    return f"_gc._tcp.{domain}" if settings.global_catalogue else f"_ldap._tcp.dc._msdcs.{domain}"


def dns_name(domain: str) -> str:
    """The DNS name of a domain's DN: corp.example for DC=corp,DC=example."""
    return ".".join(part.strip()[3:] for part in domain.split(","))
