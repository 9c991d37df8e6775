"""An OpenLDAP server on loopback, thrown away afterwards: TLS, memberOf, ppolicy."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import ldap3

from tests.conftest import require_program
from tests.servers.ldap_certificates import Authority
from tests.servers.postgresql import free_port

SUFFIX = "dc=example,dc=test"
PEOPLE = f"ou=people,{SUFFIX}"
GROUPS = f"ou=groups,{SUFFIX}"
ROOT_DN = f"cn=admin,{SUFFIX}"
ROOT_PASSWORD = "root-secret"
SERVICE_DN = f"cn=idp,ou=services,{SUFFIX}"
SERVICE_PASSWORD = "service-secret"
PASSWORD = "correct horse battery staple"

_CONFIGURATION = """
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
moduleload refint
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
loglevel 0
threads 4
TLSCACertificateFile {ca}
TLSCertificateFile {folder}/tls/server.pem
TLSCertificateKeyFile {folder}/tls/server.key
TLSVerifyClient never
{extra}
database mdb
maxsize 1073741824
suffix "{suffix}"
rootdn "{root_dn}"
rootpw {root_password}
directory {folder}/db
dbnosync
index objectClass,uid,mail,member,uniqueMember,memberUid,memberOf,entryUUID eq
access to attrs=userPassword by self write by anonymous auth by * none
access to * by users read by anonymous none
sizelimit 500
limits dn.exact="{service_dn}" size=unlimited
overlay memberof
memberof-dangling ignore
overlay refint
refint_attributes member
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{suffix}"
ppolicy_hash_cleartext
ppolicy_use_lockout
"""


class Slapd:
    """Starts at entry and stops at exit; `port` is for plain LDAP and StartTLS."""

    def __init__(
        self,
        authority: Authority | None = None,
        *,
        hosts: Sequence[str] = ("localhost",),
        addresses: Sequence[str] = ("127.0.0.1",),
        extra: str = "",
    ) -> None:
        self._program = require_program("slapd", "slapd", "/usr/sbin/slapd")
        self._slapadd = require_program("slapadd", "slapadd", "/usr/sbin/slapadd")
        self.folder = Path(tempfile.mkdtemp(prefix="idp-slapd-"))
        self.authority = authority or Authority(self.folder / "ca")
        self.port, self.tls_port = free_port(), free_port()
        (self.folder / "db").mkdir()
        self.renew_certificate(hosts, addresses)
        self.configuration = self.folder / "slapd.conf"
        self.configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                ca=self.authority.file,
                suffix=SUFFIX,
                root_dn=ROOT_DN,
                root_password=ROOT_PASSWORD,
                service_dn=SERVICE_DN,
                extra=extra,
            )
        )
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Slapd:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()

    def discard(self) -> None:
        """Stop it, and remove all that it wrote."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def load(self, ldif: Path) -> None:
        """Load many entries while it is not running."""
        command = [self._slapadd, "-q", "-f", str(self.configuration), "-l", str(ldif)]
        subprocess.run(command, check=True, capture_output=True)

    @property
    def ca_file(self) -> Path:
        """The CA that clients have to trust."""
        return self.authority.file

    def renew_certificate(
        self, hosts: Sequence[str] = ("localhost",), addresses: Sequence[str] = ("127.0.0.1",)
    ) -> None:
        """Another certificate; the server takes it at its next start."""
        self.authority.issue(self.folder / "tls", hosts, addresses)

    def start(self) -> None:
        """Start, and wait until it listens."""
        urls = f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.tls_port}/"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._program, "-f", str(self.configuration), "-h", urls, "-d", "0"],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while True:
            if self.process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
            try:
                socket.create_connection(("127.0.0.1", self.tls_port), 0.2).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def stop(self) -> None:
        """End it as an operator would; frozen or not."""
        if self.process and self.process.poll() is None:
            self.thaw()
            self.process.terminate()
            self.process.wait(timeout=20)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Let it be silent: the kernel takes connections, nobody answers."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """A connection that may do anything."""
        server = ldap3.Server("127.0.0.1", self.port, get_info=ldap3.NONE)
        connection: Any = ldap3.Connection(
            server, ROOT_DN, ROOT_PASSWORD, auto_bind=True, raise_exceptions=True, check_names=False
        )
        try:
            yield connection
        finally:
            connection.unbind()

    def seed(self) -> Slapd:
        """Lay the tree out, with password policies and the account that searches."""
        with self.admin() as admin:
            admin.add(SUFFIX, ["dcObject", "organization"], {"dc": "example", "o": "Example"})
            for unit in ("people", "groups", "policies", "services"):
                admin.add(f"ou={unit},{SUFFIX}", "organizationalUnit")
            for name, policy in _POLICIES.items():
                admin.add(
                    f"cn={name},ou=policies,{SUFFIX}",
                    ["device", "pwdPolicy"],
                    {"pwdAttribute": "userPassword", **policy},
                )
            admin.add(
                SERVICE_DN,
                ["organizationalRole", "simpleSecurityObject"],
                {
                    "userPassword": SERVICE_PASSWORD,
                    "pwdPolicySubentry": f"cn=patient,ou=policies,{SUFFIX}",
                },
            )
        return self

    def add_person(
        self,
        uid: str,
        name: str = "",
        *,
        password: str | bytes = PASSWORD,
        dn: str = "",
        **attributes: Any,
    ) -> str:
        """Add somebody; gives the DN."""
        dn = dn or f"uid={uid},{PEOPLE}"
        name = name or uid.title()
        values = {"uid": uid, "cn": name, "sn": name.split()[-1], "userPassword": password}
        with self.admin() as admin:
            classes = ["inetOrgPerson", *attributes.pop("classes", ())]
            admin.add(dn, classes, {**values, **attributes})
        return dn

    def add_group(
        self, name: str, *members: str, kind: str = "groupOfNames", base: str = GROUPS, **more: Any
    ) -> str:
        """Add a group of `kind`; gives the DN."""
        attribute = {"groupOfNames": "member", "groupOfUniqueNames": "uniqueMember"}
        dn = f"cn={name},{base}"
        values = {**({attribute.get(kind, "memberUid"): list(members)} if members else {}), **more}
        with self.admin() as admin:
            admin.add(dn, kind, values)
        return dn

    def modify(self, dn: str, **replaced: Any) -> None:
        """Replace values of an entry's attributes; an empty list removes."""
        changes: Mapping[str, Any] = {
            name: [(ldap3.MODIFY_REPLACE, values if isinstance(values, list) else [values])]
            for name, values in replaced.items()
        }
        with self.admin() as admin:
            admin.modify(dn, changes)

    def delete(self, dn: str) -> None:
        """Remove an entry."""
        with self.admin() as admin:
            admin.delete(dn)


_POLICIES: dict[str, dict[str, str]] = {
    "default": {
        "pwdLockout": "TRUE",
        "pwdMaxFailure": "3",
        "pwdLockoutDuration": "2",
        "pwdFailureCountInterval": "60",
        "pwdMustChange": "TRUE",
        "pwdAllowUserChange": "TRUE",
    },
    "patient": {"pwdLockout": "FALSE"},
    "short": {"pwdMaxAge": "1", "pwdMustChange": "TRUE"},
    "grace": {"pwdMaxAge": "1", "pwdGraceAuthnLimit": "2"},
}
