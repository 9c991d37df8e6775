"""Who a Kerberos ticket says its holder is."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from idp.directory.active_directory.identifiers import BadIdentifier, sid_text

# A name that MIT Kerberos writes without any escape but that of "@" in an enterprise name.
_PRINCIPAL = re.compile(r"(?P<name>(?:[^\\@/\x00-\x1f\x7f]|\\@)+)@(?P<realm>[A-Za-z0-9.-]+)")
_HEAD = struct.Struct("<HHHHI")
_EXTENSION = struct.Struct("<HHHH")
_HAS_SID = 2


@dataclass(frozen=True, slots=True)
class Ticket:
    """An accepted ticket: `name` as the person typed it for kinit or Windows, in `realm`.

    `sid` is what the domain controller signed about the account; None if it says nothing, as
    controllers without the updates of November 2021 do.
    """

    name: str
    realm: str
    sid: str | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.realm}"


def parse_principal(text: str) -> tuple[str, str] | None:
    """Name and realm of a person's principal; None for services, hosts and what can't be read."""
    match = _PRINCIPAL.fullmatch(text)
    return (match["name"].replace("\\@", "@"), match["realm"]) if match else None


def sid_of_pac(upn_dns_info: bytes) -> str | None:
    """The account's SID in the PAC's buffer UPN_DNS_INFO (MS-PAC 2.10), if it is there."""
    try:
        *_, flags = _HEAD.unpack_from(upn_dns_info)
        if not flags & _HAS_SID:
            return None
        _, _, length, offset = _EXTENSION.unpack_from(upn_dns_info, _HEAD.size)
        return sid_text(upn_dns_info[offset : offset + length])
    except (struct.error, BadIdentifier):
        return None
