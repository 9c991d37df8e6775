"""Distinguished names (RFC 4514), read so that one below a base is told from a look-alike."""

from __future__ import annotations

import re
from functools import lru_cache

from idp.entitlements.names import loose_key, name_key
from idp.errors import IdpError

LONGEST_DN = 2048
REMEMBERED = 20_000

# One element is a relative name: usually one pair of type and value, several if joined by "+".
Dn = tuple[frozenset[tuple[str, str]], ...]

_TYPE = re.compile(
    r" *(?:OID\.)?(?P<type>[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+) *= *", re.ASCII | re.I
)
_HEX_STRING = re.compile(r"#(?P<hex>(?:[0-9A-Fa-f]{2})+) *(?=[,+]|$)")
_PLAIN = re.compile(r"""[^\\,+";<>\0]+""")
_HEX = re.compile(r"[0-9A-Fa-f]{2}")
_ESCAPABLE = frozenset(' "#+,;<=>\\')
# RFC 4514 section 3 and RFC 4519: servers may write a type as its number.
_NAMES = {
    "2.5.4.3": "cn",
    "2.5.4.6": "c",
    "2.5.4.7": "l",
    "2.5.4.8": "st",
    "2.5.4.9": "street",
    "2.5.4.10": "o",
    "2.5.4.11": "ou",
    "0.9.2342.19200300.100.1.1": "uid",
    "0.9.2342.19200300.100.1.25": "dc",
    "commonname": "cn",
    "organizationalunitname": "ou",
    "organizationname": "o",
    "domaincomponent": "dc",
    "userid": "uid",
}


class BadDn(IdpError):
    """Text that is not a distinguished name."""


def parse_dn(text: str) -> Dn:
    """Read a DN of at least one element; equal DNs in another case or with other escapes are equal.

    Nothing else is evened out: blanks inside a value count, so that two entries that a directory
    keeps apart never become one. Raises BadDn.
    """
    if not text.strip() or len(text) > LONGEST_DN:
        raise _bad(text)
    names: list[frozenset[tuple[str, str]]] = []
    parts: set[tuple[str, str]] = set()
    position = 0
    while True:
        match = _TYPE.match(text, position)
        if not match:
            raise _bad(text)
        kind = match["type"].lower()
        value, position = _value(text, match.end())
        parts.add((_NAMES.get(kind, kind), value))
        separator = text[position : position + 1]
        if separator != "+":
            names.append(frozenset(parts))
            parts = set()
        if not separator:
            return tuple(names)
        position += 1


def lies_under(dn: Dn, base: Dn) -> bool:
    """Whether `dn` is `base` or below it, element by element; never by the ends of the texts."""
    return len(dn) >= len(base) and dn[len(dn) - len(base) :] == base


@lru_cache(maxsize=REMEMBERED)
def dn_key(text: str) -> Dn | None:
    """The DN for comparing; None for text that is none. Groups recur, so answers are kept."""
    try:
        return parse_dn(text)
    except BadDn:
        return None


@lru_cache(maxsize=REMEMBERED)
def loose_dn_key(text: str) -> Dn | None:
    """As `dn_key`, with values compared as `loose_key` does: for denying alone."""
    dn = dn_key(text)
    return dn and tuple(frozenset((kind, loose_key(value)) for kind, value in each) for each in dn)


def _value(text: str, position: int) -> tuple[str, int]:
    """The value from `position` on, and where it ends: at a comma, a plus or the end."""
    if encoded := _HEX_STRING.match(text, position):
        return "\0" + encoded["hex"].lower(), encoded.end()  # no text has this character
    value = bytearray()
    kept = 0  # blanks at the end count only if they were escaped
    while position < len(text) and text[position] not in ",+":
        if plain := _PLAIN.match(text, position):
            value += _utf8(plain[0], text)
            position = plain.end()
            kept = len(value) - (len(plain[0]) - len(plain[0].rstrip(" ")))
        elif text[position] == "\\":
            escaped, position = _escaped(text, position + 1)
            value += escaped
            kept = len(value)
        else:
            raise _bad(text)
    try:
        return name_key(value[:kept].decode()), position
    except UnicodeDecodeError:
        raise _bad(text) from None


def _escaped(text: str, position: int) -> tuple[bytes, int]:
    pair = _HEX.match(text, position)
    if pair and pair[0] != "00":
        return bytes.fromhex(pair[0]), pair.end()
    if text[position : position + 1] in _ESCAPABLE and position < len(text):
        return text[position].encode(), position + 1
    raise _bad(text)


def _utf8(plain: str, text: str) -> bytes:
    try:
        return plain.encode()
    except UnicodeEncodeError:
        raise _bad(text) from None


def _bad(text: str) -> BadDn:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return BadDn(
        f"{shown!r} is not a distinguished name.",
        "Write it as the directory does, like OU=AWS,OU=Groups,DC=corp,DC=example.",
    )
