"""The settings of a directory, completed with what goes without saying in Active Directory."""

from __future__ import annotations

from idp.directory.active_directory.groups import domain_of
from idp.directory.active_directory.names import IS_PERSON
from idp.directory.ldap.endpoint import Endpoint
from idp.directory.ldap.search import all_of
from idp.settings.directories import DirectorySettings

# Where a controller that is a global catalogue answers for the whole forest.
_CATALOGUE_PORTS = {636: 3269, 389: 3268}


def completed(settings: DirectorySettings) -> DirectorySettings:
    """The settings with the preset, the controllers and the groups' base of their kind."""
    people = settings.user_base_dn or settings.base_dn
    return settings.model_copy(
        update={
            "preset": "active_directory",
            "servers": tuple(_controller(server, settings) for server in settings.servers),
            "srv_record": "" if settings.servers else srv_record(settings),
            "user_filter": all_of((IS_PERSON, settings.user_filter)),
            "user_base_dn": people,
            "group_base_dn": settings.group_base_dn or domain_of(people) or people,
        }
    )


def srv_record(settings: DirectorySettings) -> str:
    """The DNS record that lists the controllers: as set, or the one that Windows publishes.

    _ldap._tcp.dc._msdcs.DOMAIN for controllers, _gc._tcp.FOREST for global catalogues ([MS-ADTS]
    6.3.2.3); the name is that of the domain in which people are.
    """
    if settings.srv_record:
        return settings.srv_record
    domain = dns_name(domain_of(settings.user_base_dn or settings.base_dn))
    return f"_gc._tcp.{domain}" if settings.global_catalogue else f"_ldap._tcp.dc._msdcs.{domain}"


def dns_name(domain: str) -> str:
    """The DNS name of a domain's DN: corp.example for DC=corp,DC=example."""
    return ".".join(part.strip()[3:] for part in domain.split(","))


def _controller(server: str, settings: DirectorySettings) -> str:
    endpoint = Endpoint.parse(server, settings.tls)
    if settings.global_catalogue:
        port = _CATALOGUE_PORTS.get(endpoint.port, endpoint.port)
        endpoint = Endpoint(endpoint.host, port)
    return str(endpoint)
