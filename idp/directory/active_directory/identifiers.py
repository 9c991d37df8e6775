"""The identifiers of Active Directory, which lie in its attributes as bytes."""

from __future__ import annotations

import uuid

from idp.errors import IdpError


class BadIdentifier(IdpError):
    """Bytes or text that are no SID or no GUID."""

    status = 500


def sid_text(raw: bytes) -> str:
    """A SID as people write it, like S-1-5-21-1-2-3-1103 (MS-DTYP 2.4.2.2). Raises BadIdentifier.

    One byte of revision, one that counts the sub-authorities, six of authority (big-endian), and
    four for each sub-authority (little-endian).
    """
    if len(raw) < 8 or raw[0] != 1 or len(raw) != 8 + 4 * raw[1]:
        raise BadIdentifier("Active Directory gave a SID that can't be read.")
    authority = int.from_bytes(raw[2:8], "big")
    parts = [int.from_bytes(raw[at : at + 4], "little") for at in range(8, len(raw), 4)]
    return "-".join(("S-1", str(authority), *map(str, parts)))


def guid_text(raw: bytes) -> str:
    """A GUID as Windows shows it, in lower case: its first three fields are little-endian.

    Raises BadIdentifier.
    """
    if len(raw) != 16:
        raise BadIdentifier("Active Directory gave a GUID that can't be read.")
    return str(uuid.UUID(bytes_le=raw))


def guid_bytes(text: str) -> bytes | None:
    """The bytes of a GUID that `guid_text` wrote; None for any other text."""
    try:
        guid = uuid.UUID(text)
    except ValueError:
        return None
    return guid.bytes_le if str(guid) == text else None
