"""Distinguished names: when two are the same, and which lies below which."""

from __future__ import annotations

import re

_HEX = re.compile(r"[0-9A-Fa-f]{2}")


def dn_key(dn: str) -> str:
    """What two spellings of one DN have in common: case, spaces and escapes count for nothing.

    Good for comparing (RFC 4514, RFC 4518 for the common string types), never to be sent.
    """
    return "\0".join(_rdns(dn))


def is_below(dn: str, base: str) -> bool:
    """Whether `dn` is `base` or an entry below it."""
    inner, outer = _rdns(dn), _rdns(base)
    return len(inner) >= len(outer) and inner[len(inner) - len(outer) :] == outer


def _rdns(dn: str) -> list[str]:
    if "\\" not in dn and '"' not in dn and "+" not in dn:
        return [_assertion(part) for part in dn.split(",")] if dn.strip() else []
    return ["\1".join(sorted(map(_assertion, rdn))) for rdn in _split(dn)]


def _assertion(part: str) -> str:
    name, _, value = part.partition("=")
    return f"{name.strip()}={' '.join(value.split())}".casefold()


def _split(dn: str) -> list[list[str]]:
    """The assertions of each RDN, with escapes (section 2.4) taken away."""
    rdns: list[list[str]] = [[]]
    current = bytearray()
    position = 0
    while position < len(dn):
        character = dn[position]
        if character == "\\" and position + 1 < len(dn):
            following = dn[position + 1 : position + 3]
            if _HEX.fullmatch(following):
                current.append(int(following, 16))
                position += 3
            else:
                current += dn[position + 1].encode("utf-8", "surrogatepass")
                position += 2
            continue
        if character in ",+":
            rdns[-1].append(current.decode("utf-8", "replace"))
            current = bytearray()
            if character == ",":
                rdns.append([])
        else:
            current += character.encode("utf-8", "surrogatepass")
        position += 1
    rdns[-1].append(current.decode("utf-8", "replace"))
    return rdns
