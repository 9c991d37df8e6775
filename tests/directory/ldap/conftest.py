"""A real OpenLDAP server with people and groups in it, and directories that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.directory.ldap.client import Client
from idp.directory.ldap.openldap import LdapDirectory
from idp.settings.directories import DirectorySettings
from tests.servers.slapd import PASSWORD, SERVICE_DN, SERVICE_PASSWORD, SUFFIX, Slapd

MakeDirectory = Callable[..., LdapDirectory]


def settings_for(*servers: Slapd, folder: Path, **changed: Any) -> DirectorySettings:
    """A directory "corp" of these servers, over LDAPS, searched by the service account."""
    password_file = folder / "ldap-password"
    if not password_file.exists():
        password_file.touch(mode=0o600)
        password_file.write_text(SERVICE_PASSWORD + "\n")
    tls = changed.get("tls", "ldaps")
    ports = [server.tls_port if tls == "ldaps" else server.port for server in servers]
    return DirectorySettings.model_validate(
        {
            "name": "corp",
            "kind": "ldap",
            "servers": [f"localhost:{port}" for port in ports],
            "ca_file": servers[0].ca_file if servers and tls != "none" else None,
            "bind_dn": SERVICE_DN,
            "bind_password_file": password_file,
            "base_dn": SUFFIX,
            **changed,
        }
    )


@pytest.fixture(scope="session")
def slapd() -> Iterator[Slapd]:
    """A server that no test stops, with people that no test changes."""
    with Slapd() as server:
        server.seed()
        ann = server.add_person(
            "ann",
            "Ann Archer",
            mail=["ann@example.test", "archer@example.test"],
            departmentNumber="Platform",
        )
        bob = server.add_person("bob", "Bob Baker", mail="bob@example.test")
        server.add_person("o*dd(x)", 'Ödd, "Name" \\ <x>')
        server.add_person("comma", dn=f"cn=Comma\\, Cleo \\23+uid=comma,ou=people,{SUFFIX}")
        server.add_person("twin", dn=f"cn=Twin One,ou=people,{SUFFIX}")
        server.add_person("twin", dn=f"cn=Twin Two,ou=people,{SUFFIX}")
        for name in ("short", "grace"):
            policy = f"cn={name},ou=policies,{SUFFIX}"
            server.add_person(name, pwdPolicySubentry=policy)
        patient = f"cn=patient,ou=policies,{SUFFIX}"
        server.add_person("patient", pwdPolicySubentry=patient)
        server.modify(server.add_person("must"), pwdReset="TRUE")
        server.modify(server.add_person("gone"), pwdAccountLockedTime="000001010000Z")
        inner = server.add_group("inner", ann)
        middle = server.add_group("middle", inner, bob)
        outer = server.add_group("outer", middle)
        server.modify(inner, member=[ann, outer])  # a loop, on purpose
        server.add_group("unique", ann, kind="groupOfUniqueNames")
        server.add_group("posix", "ann", kind="posixGroup", gidNumber="7001")
        yield server


@pytest.fixture
def make(slapd: Slapd, tmp_path: Path) -> Iterator[MakeDirectory]:
    """Make a directory of the settings given, closed when the test is over."""
    made: list[LdapDirectory] = []

    def make(*servers: Slapd, **changed: Any) -> LdapDirectory:
        settings = settings_for(*(servers or (slapd,)), folder=tmp_path, **changed)
        directory = LdapDirectory(settings, Client(settings, delays=(0.1,)))
        made.append(directory)
        return directory

    yield make
    for directory in made:
        directory.close()


@pytest.fixture
def corp(make: MakeDirectory) -> LdapDirectory:
    """The directory as most companies have it."""
    return make()


def open_files() -> int:
    """How many files and sockets this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


__all__ = ["PASSWORD", "MakeDirectory", "open_files", "settings_for"]
