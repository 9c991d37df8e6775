"""SoftHSM2: a PKCS#11 token in a folder of its own, that can go away, hang and be tampered with."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from idp.keys.token_session import close_sessions

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
PIN = "8371"
SO_PIN = "90210"

# The token's flags as SoftHSM stores them: CKA_OS_TOKENFLAGS of its OSAttributes.h.
_TOKEN_FLAGS = 0x8000534B
_HOLD = """
import fcntl, sys
held = [open(name, "r+b") for name in sys.argv[1:]]
for file in held:
    fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
# Another program at the same token, as an administrator would use one.
_ELSEWHERE = """
import sys, pkcs11
from pkcs11 import Attribute, ObjectClass
token = pkcs11.lib(sys.argv[1]).get_token(token_label=sys.argv[2])
session = token.open(rw=True, user_pin=sys.argv[3])
name = bytes.fromhex(sys.argv[4])
"""


def find_module() -> Path | None:
    """The module, wherever the system keeps it."""
    return next((Path(name) for name in MODULES if Path(name).exists()), None)


class SoftHsm:
    """A folder of tokens; while it is entered, this process and its children use that folder."""

    def __init__(self, module: Path, label: str = "idp") -> None:
        self.module = module
        self.label = label
        self.folder = Path(tempfile.mkdtemp(prefix="idp-softhsm-"))
        self.pin_file = self.folder / "pin"
        self.tokens.mkdir()
        self._configuration = self.folder / "softhsm2.conf"
        self._configuration.write_text(
            f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\n"
            "log.level = ERROR\nslots.removable = false\n"
        )
        self._before: str | None = None

    def __enter__(self) -> SoftHsm:
        self._before = os.environ.get("SOFTHSM2_CONF")
        os.environ.update(self.environment)
        self.write_pin(PIN)
        self.make_token()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        close_sessions()
        del os.environ["SOFTHSM2_CONF"]
        if self._before is not None:
            os.environ["SOFTHSM2_CONF"] = self._before
        shutil.rmtree(self.folder)

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program needs to see these tokens."""
        return {"SOFTHSM2_CONF": str(self._configuration)}

    def settings(self, **changes: Any) -> dict[str, Any]:
        """The table [keys.pkcs11]."""
        found = {"module": str(self.module), "token": self.label, "pin_file": str(self.pin_file)}
        return {name: value for name, value in {**found, **changes}.items() if value is not None}

    def write_pin(self, pin: str) -> None:
        self.pin_file.write_text(pin + "\n")
        self.pin_file.chmod(0o600)

    def make_token(self, label: str = "") -> None:
        """Another token, with a label that may be there already."""
        command = ["softhsm2-util", "--init-token", "--free", "--label", label or self.label]
        command += ["--pin", PIN, "--so-pin", SO_PIN]
        subprocess.run(command, check=True, capture_output=True, env=self._with_environment())

    def token_folders(self) -> list[Path]:
        return sorted(self.tokens.iterdir())

    def token_content(self) -> bytes:
        """The one token's own record, in which SoftHSM notes that a PIN was wrong."""
        (folder,) = self.token_folders()
        return (folder / "token.object").read_bytes()

    @contextmanager
    def away(self) -> Iterator[None]:
        """The tokens are not there, as if the HSM were unplugged."""
        elsewhere = self.folder / "away"
        self.tokens.rename(elsewhere)
        self.tokens.mkdir()
        try:
            yield
        finally:
            self.tokens.rmdir()
            elsewhere.rename(self.tokens)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Every call that looks at an object does not return: another process holds its lock."""
        files = [str(file) for file in self.tokens.glob("*/generation")]
        command = [sys.executable, "-c", _HOLD, *files]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            yield

    def set_flag(self, flag: int) -> None:
        """Set a flag that SoftHSM reports but never sets itself, as other tokens do."""
        for file in self.tokens.glob("*/token.object"):
            content = file.read_bytes()
            # type, kind (2: a number), value; each 8 bytes, big-endian
            at = content.index(struct.pack(">QQ", _TOKEN_FLAGS, 2)) + 16
            (flags,) = struct.unpack_from(">Q", content, at)
            changed = content[:at] + struct.pack(">Q", flags | flag) + content[at + 8 :]
            file.write_bytes(changed)

    def elsewhere(self, name: str, statements: str) -> str:
        """Run statements in another process that is logged in; gives what it printed.

        `session` is its session, `name` the CKA_ID in hex that was given.
        """
        command = [sys.executable, "-c", _ELSEWHERE + statements]
        command += [str(self.module), self.label, PIN, name]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=self._with_environment()
        )
        return done.stdout

    def _with_environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}
