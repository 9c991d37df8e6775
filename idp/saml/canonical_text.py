"""Values as they stand in the canonical form of XML, where they can't be anything but text.

Source: Canonical XML 1.0, section 2.3 (text and attribute nodes); XML 1.0, section 2.2 (Char).
"""

from __future__ import annotations

import re

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
_SPECIAL_IN_ELEMENTS = re.compile("[&<>\r]")
_SPECIAL_IN_ATTRIBUTES = re.compile('[&<"\t\n\r]')


class UnspeakableValue(IdpError):
    """A value holds characters that XML can't carry."""


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
