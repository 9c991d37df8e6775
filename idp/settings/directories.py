"""Where people live."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from idp.settings.section import Section

DirectoryKind = Literal["local", "ldap", "active_directory"]
TlsMode = Literal["ldaps", "starttls", "none"]
NestedGroups = Literal["token", "chain"]
Preset = Literal["inetOrgPerson", "active_directory"]
GroupSource = Literal["groupOfNames", "groupOfUniqueNames", "posixGroup", "memberOf"]

DEEPEST_NESTING = 100
MOST_GROUPS = 20_000

_SERVER = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)
_DOMAIN = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_REALM = re.compile(r"[^\s@\\/]{1,255}")
_LDAP_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*(?:;[A-Za-z0-9-]+)*|\d+(?:\.\d+)+", re.ASCII)
_OWN_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)


def _server(value: str) -> str:
    if not _SERVER.fullmatch(value):
        raise ValueError(
            'should be a host, or a host and a port, like "ldap1.corp.example:636"; '
            "whether it speaks TLS is said by tls"
        )
    return value


def _directory_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("should be 1 to 64 letters, digits, dots, dashes or underscores")
    return value


def _realm(value: str) -> str:
    if not _REALM.fullmatch(value):
        raise ValueError('should be like "corp.example" or "CORP"')
    return value


def _domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value):
        raise ValueError('should be the name of a domain, like "corp.example"')
    return value


def _ldap_attribute(value: str) -> str:
    if not _LDAP_ATTRIBUTE.fullmatch(value):
        raise ValueError("should be the name of an LDAP attribute")
    return value


def _own_attribute(value: str) -> str:
    if not _OWN_ATTRIBUTE.fullmatch(value):
        raise ValueError("should be a letter and up to 63 of a-z, 0-9, dots, dashes, underscores")
    return value


def _web_page(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("should be the address of a page, like https://password.corp.example/")
    return value


LdapAttribute = Annotated[str, AfterValidator(_ldap_attribute)]


class DirectorySettings(Section):
    """[[directories]]: one table for each place where people live, asked in this order."""

    name: Annotated[str, AfterValidator(_directory_name)] = Field(
        "local", description="Stands in audit rows and in rules; never change it later."
    )
    kind: DirectoryKind = Field("local", description="Our own database, or what it is.")
    realms: tuple[Annotated[str, AfterValidator(_realm)], ...] = Field(
        (), description="A name like ann@REALM or REALM\\ann goes to this directory alone."
    )
    servers: tuple[Annotated[str, AfterValidator(_server)], ...] = Field(
        (), description="host or host:port, in order of preference."
    )
    srv_record: str = Field(
        "", description="In place of servers: DNS SRV record, like _ldap._tcp.corp.example"
    )
    srv_domains: tuple[Annotated[str, AfterValidator(_domain)], ...] = Field(
        (),
        description="Domains in which the servers of that record may lie; empty: the record's own.",
    )
    tls: TlsMode = Field(
        "ldaps", description='"none" sends passwords in clear and has to be asked for by name.'
    )
    ca_file: Path | None = Field(
        None, description="PEM file with the CA of the servers; empty: those the system trusts."
    )
    bind_dn: str = Field("", description="Account that searches; empty: searches anonymously.")
    bind_password_file: Path | None = Field(
        None, description="File with its password, readable by us alone."
    )
    bind_password_env: str = Field(
        "", description="Environment variable with its password, in place of the file."
    )
    base_dn: str = Field("", description="Below this DN people and groups are looked for.")
    user_base_dn: str = Field("", description="People are below this DN; empty: base_dn.")
    group_base_dn: str = Field("", description="Groups are below this DN; empty: base_dn.")
    preset: Preset = Field(
        "inetOrgPerson", description="Attribute names to begin with; the settings below win."
    )
    user_filter: str = Field(
        "", description="LDAP filter that people have to match; empty: as the preset says."
    )
    login_attributes: tuple[LdapAttribute, ...] = Field(
        (), description="What people may type as their name; empty: as the preset says."
    )
    username_attribute: LdapAttribute | Literal[""] = Field(
        "", description="What we call them; empty: as the preset says."
    )
    id_attribute: LdapAttribute | Literal[""] = Field(
        "", description="What never changes; empty: as the preset says."
    )
    attributes: dict[Annotated[str, AfterValidator(_own_attribute)], LdapAttribute] = Field(
        {}, description="Our name of an attribute = the LDAP one; added to those of the preset."
    )
    groups_from: tuple[GroupSource, ...] = Field(
        ("groupOfNames", "groupOfUniqueNames", "posixGroup"),
        min_length=1,
        description="Kinds of groups to look for, or memberOf to read that attribute.",
    )
    group_depth: int = Field(
        20,
        ge=0,
        le=DEEPEST_NESTING,
        description="Someone whose groups are nested deeper can't sign in; 0: direct ones alone.",
    )
    most_groups: int = Field(
        2000, ge=1, le=MOST_GROUPS, description="Someone in more groups than this can't sign in."
    )
    nested_groups: NestedGroups = Field(
        "token", description="Active Directory: read tokenGroups, or ask by the rule in chain."
    )
    global_catalogue: bool = Field(
        False, description="Active Directory: ask the catalogue of the whole forest."
    )
    timeout_seconds: float = Field(
        2.0, ge=0.2, le=30, description="How long one server may take to connect, or to answer."
    )
    idle_seconds: int = Field(
        60, ge=1, le=3600, description="A connection that nobody used for so long is closed."
    )
    page_size: int = Field(500, ge=10, le=10_000, description="Entries asked for at once.")
    password_change_url: Annotated[str, AfterValidator(_web_page)] = Field(
        "", description="Page where people change their password; the sign-in page links it."
    )

    @property
    def unique_group_names(self) -> bool:
        """Whether one group at most has a name.

        So it is in our database and in one domain of Active Directory, not in LDAP, nor in a global
        catalogue, which has many domains.
        """
        if self.kind == "active_directory":
            return not self.global_catalogue
        return self.kind == "local"

    @model_validator(mode="after")
    def _whole(self) -> DirectorySettings:
        if self.kind == "local":
            return self
        found_by_domain = self.kind == "active_directory" and "dc=" in self.base_dn.lower()
        if self.servers and self.srv_record:
            raise ValueError(f"{self.name}: set either servers or srv_record")
        if not self.servers and not self.srv_record and not found_by_domain:
            raise ValueError(f"{self.name}: set either servers or srv_record")
        if self.srv_domains and self.servers:
            raise ValueError(f"{self.name}: srv_domains has no use with servers")
        if not self.base_dn and not self.user_base_dn:
            raise ValueError(f"{self.name}: set base_dn")
        if self.bind_password_file and self.bind_password_env:
            raise ValueError(f"{self.name}: set bind_password_file or bind_password_env, not both")
        if bool(self.bind_dn) != bool(self.bind_password_file or self.bind_password_env):
            raise ValueError(
                f"{self.name}: bind_dn goes together with bind_password_file or bind_password_env"
            )
        if self.bind_password_env.startswith("IDP_"):
            raise ValueError(
                f"{self.name}: the variable of bind_password_env should not begin with IDP_, "
                "which is for settings"
            )
        if self.ca_file and self.tls == "none":
            raise ValueError(f"{self.name}: ca_file has no use with tls = none")
        return self


LOCAL = DirectorySettings()


def checked_together(directories: tuple[DirectorySettings, ...]) -> tuple[DirectorySettings, ...]:
    """The directories, if names and realms belong to one of them each. Raises ValueError."""
    names: set[str] = set()
    realms: dict[str, str] = {}
    for directory in directories:
        if directory.name.casefold() in names:
            raise ValueError(f"there are two directories with the name {directory.name}")
        names.add(directory.name.casefold())
        for realm in directory.realms:
            other = realms.setdefault(realm.casefold(), directory.name)
            if other != directory.name:
                raise ValueError(f"the realm {realm} is that of {other} and of {directory.name}")
    if sum(directory.kind == "local" for directory in directories) > 1:
        raise ValueError("there is one local database, so at most one directory is local")
    return directories
