"""A real Active Directory domain (Samba), thrown away afterwards.

A `Domain` is a copy of one that is provisioned once. Its controllers are copies of it that run
side by side, each on a 127.x.y.z of its own, because the ports of LDAP can't be chosen. It needs
root for those ports.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import ldap3

from tests.servers.authority import Authority

REALM, NETBIOS, SUFFIX = "CORP.TEST", "CORP", "DC=corp,DC=test"
ADMINISTRATOR = "Administrator@corp.test"
ADMINISTRATOR_PASSWORD = "Adm1n-Passw0rd"
PASSWORD = "Passw0rd!"
PATIENCE = 60.0  # seconds; only a broken server needs them
_KEPT = Path(__file__).resolve().parents[2] / "build"
PROGRAMS = ("samba-tool", "kinit", "ldbmodify")
# types-ldap3 leaves its methods without types.
Administrator = Any

_SMB_CONF = """[global]
	netbios name = DC1
	realm = {realm}
	workgroup = {netbios}
	server role = active directory domain controller
	server services = ldap, kdc
	dcerpc endpoint servers = -winreg -srvsvc
	interfaces = {address}/8
	bind interfaces only = yes
	private dir = {folder}/private
	state directory = {folder}/state
	cache directory = {folder}/cache
	lock directory = {folder}
	binddns dir = {folder}/bind-dns
	pid directory = {folder}/run
	ncalrpc dir = {folder}/run/ncalrpc
	ntp signd socket directory = {folder}/run/ntp
	winbindd socket directory = {folder}/run/winbindd
	log file = {folder}/log.%m
	max log size = 0
	tls enabled = yes
	tls cafile = {authority}
	tls certfile = {certificate}
	tls keyfile = {key}
	ntlm auth = ntlmv2-only
"""
_KRB5_CONF = """[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 {realm} = {{
  kdc = {address}:88
 }}
[domain_realm]
 .test = {realm}
 .localhost = {realm}
"""


class Domain:
    """A domain in a folder that no server uses: controllers run on copies of it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="idp-domain-"))
        self.authority = Authority(self.folder / "authority")
        self._provisioned = self.folder / "provisioned"
        _run(["cp", "-a", "--reflink=auto", str(_provisioned()), str(self._provisioned)])

    def fill(self, with_people: Callable[[Controller], None]) -> None:
        """Let `with_people` write to the domain before any controller is copied from it."""
        with Controller(self._provisioned, self.authority) as controller:
            with_people(controller)

    def controller(self) -> Controller:
        """A controller of its own copy, not started yet."""
        folder = Path(tempfile.mkdtemp(prefix="idp-controller-", dir=self.folder))
        _run(["cp", "-a", "--reflink=auto", f"{self._provisioned}/.", str(folder)])
        return Controller(folder, self.authority)

    def remove(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Controller:
    """A domain controller: LDAP, LDAPS, global catalogue and KDC. Starts at entry, ends at exit."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder = folder
        self.authority = authority
        self.address = free_address()
        self._settings = folder / "smb.conf"
        certificate, key = authority.issue(
            folder / "tls", ("dc1.corp.test", "corp.test"), (self.address,)
        )
        (folder / "run" / "winbindd").mkdir(parents=True, exist_ok=True)
        names = {"realm": REALM, "netbios": NETBIOS, "address": self.address, "folder": folder}
        files = {"authority": authority.file, "certificate": certificate, "key": key}
        self._settings.write_text(_SMB_CONF.format(**names, **files))
        self._kerberos = folder / "krb5.conf"
        self._kerberos.write_text(_KRB5_CONF.format(**names))

    @property
    def url(self) -> str:
        """Where LDAPS is."""
        return f"ldaps://{self.address}"

    def environment(self, tickets: Path) -> dict[str, str]:
        """What makes Kerberos programs ask this KDC and keep their tickets in that file."""
        kerberos = {"KRB5_CONFIG": str(self._kerberos), "KRB5CCNAME": f"FILE:{tickets}"}
        return {**os.environ, **kerberos}

    def __enter__(self) -> Controller:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until LDAPS and the KDC take connections."""
        command = ["/usr/sbin/samba", "-F", "--no-process-group", "--model=single"]
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [*command, f"--configfile={self._settings}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        for port in (636, 88):
            while not _answers(self.address, port):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Samba did not start:\n{self._said()}")
                time.sleep(0.02)

    def stop(self) -> None:
        """End it; nothing happens if it has ended already."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Down within the block, as if it had crashed."""
        self._process.kill()
        self._process.wait()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Within the block connections are taken and nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def administrator(self) -> Iterator[Administrator]:
        """A connection of the domain's administrator, which raises what the server refuses."""
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(self.authority.file))
        server = ldap3.Server(self.url, get_info=ldap3.NONE, tls=tls, connect_timeout=20)
        connection = ldap3.Connection(
            server,
            ADMINISTRATOR,
            ADMINISTRATOR_PASSWORD,
            raise_exceptions=True,
            receive_timeout=20,
            auto_referrals=False,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "ssl.match_hostname", DeprecationWarning)
            connection.bind()
        try:
            yield connection
        finally:
            connection.unbind()

    def change(self, dn: str, **attributes: object) -> None:
        """Replace attributes of an entry."""
        with self.administrator() as connection:
            connection.modify(
                dn, {name: [(ldap3.MODIFY_REPLACE, [value])] for name, value in attributes.items()}
            )

    def expire_password(self, dn: str) -> None:
        """Make a password expired now; nobody may write pwdLastSet but for "must change"."""
        self.force(dn, "pwdLastSet", str(_LONG_AGO))

    def force(self, dn: str, attribute: str, value: str) -> None:
        """Write what Active Directory would refuse: below the modules that see to its rules.

        The running server takes it.
        """
        partition = self.folder / "private" / "sam.ldb.d" / f"{SUFFIX.upper()}.ldb"
        change = f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n"
        _run(["ldbmodify", "-H", str(partition)], change)

    def tool(self, *arguments: str) -> None:
        """Run samba-tool on the controller's own files."""
        _run(["samba-tool", *arguments, f"--configfile={self._settings}"])

    def service(self, account: str, *principals: str) -> Path:
        """An account for a service with these principals; gives its keytab, with AES keys alone."""
        dn = f"CN={account},CN=Users,{SUFFIX}"
        self.tool("user", "create", account, "--random-password")
        with self.administrator() as connection:
            changes: dict[str, Any] = {
                "msDS-SupportedEncryptionTypes": [(ldap3.MODIFY_REPLACE, ["24"])],
                "servicePrincipalName": [(ldap3.MODIFY_ADD, list(principals))],
            }
            connection.modify(dn, changes)
        keytab = self.folder / f"{account}.keytab"
        for principal in principals:
            self.tool("domain", "exportkeytab", str(keytab), f"--principal={principal}")
        keytab.chmod(0o600)
        return keytab

    def sign_in(self, username: str, tickets: Path, password: str = PASSWORD) -> dict[str, str]:
        """kinit; gives the environment in which programs find the ticket."""
        environment = self.environment(tickets)
        command = ["kinit", username if "@" in username else f"{username}@{REALM}"]
        _run(command, f"{password}\n", environment)
        return environment

    def _said(self) -> str:
        logs = [self.folder / "output", *self.folder.glob("log.*")]
        return "\n".join(log.read_text(errors="replace")[-3000:] for log in logs)


_LONG_AGO = 131000000000000000  # in 2016, as Windows counts


def _provisioned() -> Path:
    """An empty domain, provisioned once for each version of Samba: it takes many seconds."""
    version = subprocess.run(
        ["/usr/sbin/samba", "--version"], capture_output=True, text=True, check=True
    ).stdout
    kept = _KEPT / "-".join(("samba", *version.split()[1:]))
    if not kept.exists():
        _KEPT.mkdir(exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="samba-", dir=_KEPT))
        command = ["samba-tool", "domain", "provision", f"--realm={REALM}", f"--domain={NETBIOS}"]
        command += ["--server-role=dc", "--dns-backend=NONE", "--host-name=dc1"]
        command += [f"--adminpass={ADMINISTRATOR_PASSWORD}", "--host-ip=127.0.0.10"]
        _run([*command, f"--targetdir={fresh}", "--configfile=/dev/null"])
        with suppress(OSError):  # another run was quicker
            fresh.rename(kept)
    return kept


def free_address() -> str:
    """An address of loopback on which nobody has a directory."""
    while True:
        parts = (88 + secrets.randbelow(100), secrets.randbelow(256), 10 + secrets.randbelow(240))
        address = ".".join(map(str, (127, *parts)))
        if not _answers(address, 636):
            return address


def coded(password: str) -> bytes:
    """A password as the attribute unicodePwd wants it."""
    return f'"{password}"'.encode("utf-16-le")


def _answers(address: str, port: int) -> bool:
    with suppress(OSError):
        socket.create_connection((address, port), timeout=0.5).close()
        return True
    return False


def _run(
    command: Sequence[str], typed: str = "", environment: Mapping[str, str] | None = None
) -> None:
    done = subprocess.run(
        command, input=typed, capture_output=True, text=True, env=environment, timeout=PATIENCE
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}\n{done.stderr}")
