"""Integrated sign-in with Kerberos tickets."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from idp.settings.section import Section

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRINCIPAL = re.compile(r"HTTP/[A-Za-z0-9.-]+")
_REALM = re.compile(r"[A-Za-z0-9.-]+")
# This machine and the networks that RFC 1918 and RFC 4193 keep off the internet.
_PRIVATE = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")


class KerberosSettings(Section):
    """[kerberos]: browsers that hold a ticket of the company's domain sign in without typing."""

    keytab: Path | None = Field(
        None, description="The service's keytab, readable by us alone; empty: no Kerberos."
    )
    service_principal: str = Field(
        "", description="The service's name; empty: HTTP/ and the host of server.base_url."
    )
    realm: str = Field("", description="The realm whose people may sign in, like CORP.EXAMPLE.")
    directory: str = Field(
        "", description="The Active Directory, by its name in [[directories]], that knows them."
    )
    networks: tuple[str, ...] = Field(
        _PRIVATE,
        min_length=1,
        description="Only browsers in these networks are asked for a ticket.",
    )

    @field_validator("service_principal")
    @classmethod
    def _a_service_for_http(cls, value: str) -> str:
        if value and not _PRINCIPAL.fullmatch(value):
            raise ValueError("should be like HTTP/idp.corp.example, without a realm")
        return value

    @field_validator("realm")
    @classmethod
    def _a_realm(cls, value: str) -> str:
        if value and not _REALM.fullmatch(value):
            raise ValueError("should be like CORP.EXAMPLE")
        return value.upper()

    @field_validator("networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value

    @model_validator(mode="after")
    def _whole(self) -> KerberosSettings:
        if self.keytab and not (self.realm and self.directory):
            raise ValueError("keytab, realm and directory go together: set all of them or none")
        return self

    @property
    def within(self) -> tuple[Network, ...]:
        """`networks`, parsed."""
        return tuple(ipaddress.ip_network(network) for network in self.networks)
