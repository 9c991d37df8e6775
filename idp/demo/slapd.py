"""The demonstration's people in an OpenLDAP server of its own, on this machine alone."""

from __future__ import annotations

import base64
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from idp.demo.authority import Authority
from idp.demo.people import PEOPLE, DemoPerson
from idp.errors import IdpError

NAME = "corp"
SUFFIX = "dc=corp,dc=example"
SERVICE_DN = f"cn=idp,{SUFFIX}"
COST_CENTER = "businessCategory"  # inetOrgPerson has no attribute of that name
# Groups within groups: the first is a member of the second.
NESTED = {"platform": "platform-engineers"}

_MODULES = ("/usr/lib/ldap", "/usr/lib64/openldap", "/usr/libexec/openldap")
_SCHEMAS = ("/etc/ldap/schema", "/etc/openldap/schema")
_CONFIGURATION = """\
modulepath {modules}
moduleload back_mdb
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
pidfile {folder}/slapd.pid
loglevel 0
TLSCACertificateFile {ca}
TLSCertificateFile {folder}/tls/server.pem
TLSCertificateKeyFile {folder}/tls/server.key
TLSVerifyClient never
database mdb
maxsize 67108864
suffix "{suffix}"
directory {folder}/db
index objectClass,uid,member,entryUUID eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service_dn}" read by * none
limits dn.exact="{service_dn}" size=unlimited
"""


class DemoSlapd:
    """A server whose data lies in `folder`; made at the first start, kept for the next."""

    def __init__(self, folder: Path, port: int) -> None:
        """Raises IdpError where there is no slapd."""
        self._folder = folder.resolve()
        self._port = port
        self._slapd = find_program("slapd")
        self.ca_file = self._folder / "ca" / "ca.pem"
        self.password_file = self._folder / "bind-password"

    def prepare(self) -> None:
        """Write certificates and configuration, and load the people if nobody is there yet."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        Authority(self._folder / "ca").issue(self._folder / "tls", ["localhost"], ["127.0.0.1"])
        self._configuration.write_text(
            _CONFIGURATION.format(
                modules=_first(_MODULES),
                schemas=_first(_SCHEMAS),
                folder=self._folder,
                ca=self.ca_file,
                suffix=SUFFIX,
                service_dn=SERVICE_DN,
            )
        )
        database = self._folder / "db"
        if not database.exists():
            try:
                self._load(database)
            except BaseException:
                shutil.rmtree(database, ignore_errors=True)
                raise

    def command(self) -> list[str]:
        """The command that runs it in the foreground, and ends it together with this process."""
        own = [self._slapd, "-f", str(self._configuration), "-d", "0"]
        own += ["-h", f"ldaps://127.0.0.1:{self._port}/"]
        setpriv = shutil.which("setpriv")
        return [setpriv, "--pdeathsig", "TERM", *own] if setpriv else own

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self._port), 1).close()
        except OSError:
            return False
        return True

    def settings(self) -> dict[str, object]:
        """The directory as idp.toml names it."""
        return {
            "name": NAME,
            "kind": "ldap",
            "realms": ["corp.example", "CORP"],
            "servers": [f"localhost:{self._port}"],
            "ca_file": str(self.ca_file),
            "bind_dn": SERVICE_DN,
            "bind_password_file": str(self.password_file),
            "base_dn": SUFFIX,
            "group_base_dn": f"ou=groups,{SUFFIX}",
            "attributes": {"cost_center": COST_CENTER},
        }

    @property
    def _configuration(self) -> Path:
        return self._folder / "slapd.conf"

    def _load(self, database: Path) -> None:
        database.mkdir()
        secret = secrets.token_urlsafe(24)
        self.password_file.unlink(missing_ok=True)
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(secret + "\n")
        done = subprocess.run(
            [find_program("slapadd"), "-f", str(self._configuration), "-q"],
            input="\n".join(_ldif(secret)),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise IdpError(
                f"slapadd could not load the people: {done.stderr.strip()[-300:]}",
                "On Ubuntu, AppArmor may keep it from the folder: sudo aa-complain /usr/sbin/slapd",
            )


def _ldif(service_secret: str) -> Iterator[str]:
    yield _entry(SUFFIX, ["dcObject", "organization"], {"dc": ["corp"], "o": ["Example Corp"]})
    for unit in ("people", "groups"):
        yield _entry(f"ou={unit},{SUFFIX}", ["organizationalUnit"], {"ou": [unit]})
    yield _entry(
        SERVICE_DN,
        ["organizationalRole", "simpleSecurityObject"],
        {"cn": ["idp"], "userPassword": [service_secret]},
    )
    members: dict[str, list[str]] = {}
    for person in PEOPLE:
        yield _entry(_dn(person), ["inetOrgPerson"], _values(person))
        for group in person.groups:
            members.setdefault(NESTED.get(group, group), []).append(_dn(person))
    for outer, inner in NESTED.items():
        members[outer] = [f"cn={inner},ou=groups,{SUFFIX}"]
    for group, dns in members.items():
        values = {"cn": [group], "member": dns}
        yield _entry(f"cn={group},ou=groups,{SUFFIX}", ["groupOfNames"], values)


def _values(person: DemoPerson) -> dict[str, Sequence[str]]:
    # The passwords are shown on the sign-in page, so hashing them would hide nothing.
    values: dict[str, Sequence[str]] = {
        "uid": [person.username],
        "cn": [person.display_name],
        "sn": [person.display_name.split()[-1]],
        "mail": [person.email],
        "userPassword": [person.password],
    }
    for ours, theirs in (("department", "departmentNumber"), ("cost_center", COST_CENTER)):
        if ours in person.attributes:
            values[theirs] = person.attributes[ours]
    return values


def _dn(person: DemoPerson) -> str:
    return f"uid={person.username},ou=people,{SUFFIX}"


def _entry(dn: str, classes: Sequence[str], values: Mapping[str, Sequence[str]]) -> str:
    lines = [f"dn: {dn}", *(f"objectClass: {each}" for each in classes)]
    for name, texts in values.items():
        lines += [f"{name}:: {base64.b64encode(text.encode()).decode()}" for text in texts]
    return "\n".join(lines) + "\n"


def _first(candidates: Sequence[str]) -> str:
    return next((each for each in candidates if Path(each).is_dir()), candidates[0])


def find_program(name: str) -> str:
    """The path of a program, in the places where servers are too. Raises IdpError."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/libexec")
    if found is None:
        raise IdpError(
            f"{name} is not installed, so there can be no LDAP directory here.",
            "On Debian and Ubuntu run: apt install slapd. Or start without: make run",
        )
    return found
