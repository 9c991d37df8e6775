"""Elements written as their own canonical form; what is put into them can't be anything but text.

Building a tree and canonicalising it cost more than the RSA signature. So an element is written
right away as exclusive canonicalization would write it, by one function that escapes whatever it
is given, except for what it has made itself.

Source: Canonical XML 1.0, section 2.3 (text and attribute nodes); XML 1.0, section 2.2 (Char).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from idp.errors import IdpError

_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_IN_ELEMENTS = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"}
_IN_ATTRIBUTES = {
    "&": "&amp;",
    "<": "&lt;",
    '"': "&quot;",
    "\t": "&#x9;",
    "\n": "&#xA;",
    "\r": "&#xD;",
}
# What most values are made of, and means nothing anywhere: told by one look.
_plain = re.compile(r"[ !#-%'-;=?-~]*").fullmatch
_SPECIAL_IN_ELEMENTS = re.compile("[&<>\r]")
_SPECIAL_IN_ATTRIBUTES = re.compile('[&<"\t\n\r]')


class UnspeakableValue(IdpError):
    """A value holds characters that XML can't carry."""


class CanonicalXml(str):
    """Text that is canonical XML already, and so is not escaped when it is put into an element."""

    __slots__ = ()


def element(name: str, attributes: Mapping[str, str], *content: str) -> CanonicalXml:
    """An element; `content` is text, or elements that were made here. Raises UnspeakableValue.

    `attributes` are in canonical order: namespaces, then names by the alphabet. The name and the
    attributes' names are taken as they are.
    """
    parts = ["<", name]
    for key, value in attributes.items():
        parts += (" ", key, '="', value if _plain(value) else attribute_value(value), '"')
    parts.append(">")
    for each in content:
        plain = type(each) is CanonicalXml or _plain(each)
        parts.append(each if plain else element_text(each))
    parts += ("</", name, ">")
    return CanonicalXml("".join(parts))


def element_text(value: str) -> str:
    """The value as the content of an element. Raises UnspeakableValue."""
    _require_characters(value)
    return _SPECIAL_IN_ELEMENTS.sub(lambda found: _IN_ELEMENTS[found[0]], value)


def attribute_value(value: str) -> str:
    """The value as it stands between the quotes of an attribute. Raises UnspeakableValue."""
    _require_characters(value)
    return _SPECIAL_IN_ATTRIBUTES.sub(lambda found: _IN_ATTRIBUTES[found[0]], value)


def _require_characters(value: str) -> None:
    # Printable ASCII, which is nearly all of it, is told much faster.
    if not (value.isascii() and value.isprintable()) and _NO_CHARACTER.search(value):
        raise UnspeakableValue(
            "A value for the assertion holds control characters or half characters.",
            "Correct it in the directory.",
        )
