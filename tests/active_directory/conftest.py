"""The domain corp.test, its controllers, and what Kerberos needs."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from idp.db.models import AuditEventRow
from idp.directory.active_directory.directory import ActiveDirectory
from idp.settings.directories import DirectorySettings
from tests.active_directory.corp import READER, people_and_groups
from tests.company import Company
from tests.conftest import require_program
from tests.servers.samba import PASSWORD, PROGRAMS, SUFFIX, Controller, Domain

HOST = "idp.localhost"
SERVICE = f"HTTP/{HOST}"
OTHER_SERVICE = "HTTP/other.localhost"
_MAKE_TOKEN = """
import sys, gssapi
name = gssapi.Name(sys.argv[1], gssapi.NameType.kerberos_principal)
spnego = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
context = gssapi.SecurityContext(name=name, usage="initiate", mech=spnego)
sys.stdout.buffer.write(context.step())
"""

Token = Callable[..., bytes]
Open = Callable[..., ActiveDirectory]


def leave_out(reason: str) -> None:
    """Skip the test, but not in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and in CI nothing is left out")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def domain() -> Iterator[Domain]:
    for program in PROGRAMS:
        require_program("Samba and Kerberos", program)
    require_program("Samba", "/usr/sbin/samba")
    if os.geteuid() != 0:
        leave_out("a domain controller needs root, for the ports of LDAP and Kerberos")
    made = Domain()
    try:
        made.fill(people_and_groups)
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
def controller(domain: Domain) -> Iterator[Controller]:
    """The controller that most tests ask."""
    with domain.controller() as running:
        yield running


@pytest.fixture(scope="session")
def keytab(controller: Controller) -> Path:
    """Keys of the identity provider's service, and of another one of this machine."""
    if importlib.util.find_spec("gssapi") is None:
        leave_out("python-gssapi is not there; tests/prepare.sh installs it where it can")
    require_program("curl", "curl")
    own = controller.service("svc-idp", SERVICE)
    other = controller.service("svc-other", OTHER_SERVICE)
    with own.open("ab") as both:
        both.write(other.read_bytes()[2:])  # without the file's version
    return own


def directory_table(
    controllers: Controller | Sequence[Controller], folder: Path, **more: Any
) -> dict[str, Any]:
    """The table of [[directories]] for corp.test; its secret goes into `folder`."""
    listed = [controllers] if isinstance(controllers, Controller) else list(controllers)
    secret = folder / "reader-password"
    secret.touch(mode=0o600)
    secret.write_text(f"{PASSWORD}\n")
    table = {
        "name": "corp",
        "kind": "active_directory",
        "servers": [controller.address for controller in listed],
        "ca_file": str(listed[0].authority.file),
        "realms": ["corp.test", "CORP"],
        "base_dn": SUFFIX,
        "bind_dn": f"{READER}@corp.test",
        "bind_password_file": str(secret),
    }
    return {**table, **more}


@pytest.fixture
def open_corp(tmp_path: Path) -> Iterator[Open]:
    """A function that opens the directory of some controllers, with settings of one's own."""
    opened = []

    def open_one(
        controllers: Controller | Sequence[Controller],
        sleep: Callable[[float], None] = lambda _seconds: None,
        **more: Any,
    ) -> ActiveDirectory:
        settings = DirectorySettings.model_validate(directory_table(controllers, tmp_path, **more))
        directory = ActiveDirectory(settings, sleep=sleep)
        opened.append(directory)
        return directory

    yield open_one
    for directory in opened:
        directory.close()


@pytest.fixture
def corp(controller: Controller, open_corp: Open) -> ActiveDirectory:
    """The directory as most companies would set it up."""
    return open_corp(controller)


@pytest.fixture
def token_of(controller: Controller, keytab: Path, tmp_path: Path) -> Token:
    """A function that signs somebody in to the domain and makes a browser's token for a service."""

    def make(username: str, service: str = SERVICE) -> bytes:
        tickets = tmp_path / username.replace("@", "-at-")
        environment = controller.sign_in(username, tickets)
        command = [sys.executable, "-c", _MAKE_TOKEN, f"{service}@CORP.TEST"]
        return subprocess.run(command, env=environment, check=True, capture_output=True).stdout

    return make


def events(company: Company) -> list[tuple[str, str, dict[str, Any]]]:
    """The audit trail: types, actors and details."""
    with company.parts.database.reading() as session:
        rows = session.scalars(select(AuditEventRow).order_by(AuditEventRow.seq))
        return [(row.type, row.actor, json.loads(row.detail)) for row in rows]


def close(company: Company) -> None:
    """Close what a company's application keeps open."""
    for directory in company.parts.directories.values():
        if isinstance(directory, ActiveDirectory):
            directory.close()
    company.parts.database.close()
