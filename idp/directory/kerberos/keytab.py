"""What lies in a keytab: which services, and keys of which kind."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from idp.errors import IdpError

_VERSION = b"\x05\x02"
# RFC 3961 section 8, RFC 3962 and RFC 8009.
_AES = frozenset((17, 18, 19, 20))


class KeytabUnusable(IdpError):
    """kerberos.keytab can't be used as it lies there."""


@dataclass(frozen=True, slots=True)
class KeytabEntry:
    """One key: of a principal such as HTTP/idp.corp.example@CORP.EXAMPLE."""

    principal: str
    version: int
    encryption: int

    @property
    def strong(self) -> bool:
        """Whether the key is for AES; RC4 and DES are not to be trusted any more."""
        return self.encryption in _AES


def read_keytab(file: Path) -> tuple[KeytabEntry, ...]:
    """All entries of a keytab. Raises KeytabUnusable, also if others than us may read it."""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        content = file.read_bytes()
    except OSError as problem:
        raise KeytabUnusable(
            f"kerberos.keytab can't be read from {file}: {problem.strerror}.",
            "Name a keytab that this user may read.",
        ) from None
    if mode & 0o037:
        raise KeytabUnusable(
            f"Others than us can read or change the keytab {file} (mode {mode:04o}).",
            f"Run: chmod 0600 {file}",
        )
    try:
        if content[:2] != _VERSION:
            raise ValueError
        return tuple(_entries(content))
    except (ValueError, struct.error, UnicodeDecodeError):
        raise KeytabUnusable(
            f"{file} is not a keytab.", "Export it with ktpass, samba-tool or kadmin."
        ) from None


def require_service(file: Path, principal: str, realm: str) -> None:
    """Raise KeytabUnusable unless the keytab has an AES key of `principal` in `realm`."""
    entries = read_keytab(file)
    wanted = f"{principal}@{realm}"
    keys = [entry for entry in entries if entry.principal.casefold() == wanted.casefold()]
    if not keys:
        there = ", ".join(sorted({entry.principal for entry in entries})) or "no key at all"
        raise KeytabUnusable(
            f"The keytab {file} has no key of {wanted}; it has {there}.",
            "Export that principal, or set kerberos.service_principal.",
        )
    if not any(key.strong for key in keys):
        raise KeytabUnusable(
            f"The keytab {file} has no AES key of {wanted}.",
            "Allow AES for the service's account (msDS-SupportedEncryptionTypes = 24), "
            "set its password anew, and export the keytab again.",
        )


def _entries(content: bytes) -> Iterator[KeytabEntry]:
    """Version 2 of the file's form: each entry is its length and itself; holes are negative."""
    at = 2
    while at + 4 <= len(content):
        (length,) = struct.unpack_from(">i", content, at)
        at += 4
        if length == 0:
            return
        if length > 0:
            if at + length > len(content):
                raise ValueError
            yield _entry(content[at : at + length])
        at += abs(length)


def _entry(raw: bytes) -> KeytabEntry:
    (components,) = struct.unpack_from(">H", raw)
    at = 2
    texts = []
    for _ in range(components + 1):
        (length,) = struct.unpack_from(">H", raw, at)
        texts.append(raw[at + 2 : at + 2 + length].decode())
        at += 2 + length
    at += 8  # the name's type, and when the key was written
    version, encryption = struct.unpack_from(">BH", raw, at)
    realm, *names = texts
    return KeytabEntry(f"{'/'.join(names)}@{realm}", version, encryption)
