"""A PostgreSQL server on loopback, thrown away afterwards."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

import psycopg


def find_postgres() -> Path | None:
    """The folder with initdb and postgres, the newest one; they are not on Debian's PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    if versions:
        return versions[0].parent
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PostgresServer:
    """Starts at entry and stops at exit; as root it runs as nobody, for postgres refuses root.

    It forgets what it wrote in a power cut, which tests don't have; not so if `durable`.
    """

    def __init__(self, programs: Path, *, durable: bool = False) -> None:
        self._programs = programs
        self._durable = durable
        # Not below pytest's own folders: they are closed to others at the start of every run.
        self._folder = Path(tempfile.mkdtemp(prefix="idp-postgres-"))
        self._data = self._folder / "data"
        self.port = free_port()

    def __enter__(self) -> PostgresServer:
        as_user: list[str] = []
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            as_user = ["setpriv", "--reuid=nobody", f"--regid={nobody.pw_gid}", "--clear-groups"]
            self._folder.chmod(0o755)
            self._data.mkdir(mode=0o700)
            os.chown(self._data, nobody.pw_uid, nobody.pw_gid)
        initdb = [str(self._programs / "initdb"), "-D", str(self._data), "-U", "idp"]
        options = ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run([*as_user, *initdb, *options], check=True, capture_output=True)
        self._as_user = as_user
        self.start()
        return self

    def start(self) -> None:
        """Start it, at first or once more, with what is in its databases."""
        settings = {
            "unix_socket_directories": "",
            "listen_addresses": "127.0.0.1",
            "max_connections": "200",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self._folder / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [*self._as_user, *command], stdout=output, stderr=subprocess.STDOUT
            )
        self._wait()

    def stop(self) -> None:
        """Stop it and cut its connections off."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=20)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def url(self, name: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://idp@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, template: str = "template0") -> None:
        """Make a database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            statement = f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'
            connection.execute(statement.encode())

    def copy_of(self, template: str) -> str:
        """A new database with what `template` holds; gives its name."""
        name = f"test_{secrets.token_hex(6)}"
        self.create(name, template)
        return name

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return
