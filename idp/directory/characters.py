"""Which characters may stand in names and values."""

from __future__ import annotations

import unicodedata

# Default-ignorable letters and marks: invisible, so two names could look the same. RFC 8264 9.13
# disallows them in identifiers. (Those of category Cf are refused by category already.)
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
_BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def refused_in_value(text: str) -> str | None:
    """The first character that no value may hold, as "U+0000", or None.

    Refused are control characters, line and paragraph separators, lone surrogates (no UTF-8) and
    noncharacters (no XML: production 2 of XML 1.0).
    """
    if text.isprintable():
        return None
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or _is_noncharacter(
            character
        ):
            return _code_point(character)
    return None


def refused_in_label(text: str) -> str | None:
    """As `refused_in_value`, and bidirectional controls, which make text read as another text."""
    for character in text if not text.isascii() else "":
        if character in _BIDI_CONTROLS:
            return _code_point(character)
    return refused_in_value(text)


def refused_in_identifier(text: str) -> str | None:
    """The first character that no user name may hold, or None.

    Besides controls: format characters (all of bidirectional control among them), everything
    invisible, private, unassigned, and spaces other than U+0020 (after RFC 8264 and RFC 8265).
    """
    if text.isascii() and text.isprintable():
        return None
    for character in text:
        if not character.isprintable() or character in _INVISIBLE:
            return _code_point(character)
    return None


def _is_noncharacter(character: str) -> bool:
    code = ord(character)
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X}"
