"""How names of users and groups are compared."""

from __future__ import annotations

import unicodedata


def name_key(name: str) -> str:
    """What two spellings of one name have in common: case, and how accents are composed.

    No character outside ASCII ever becomes an ASCII one: Unicode folding turns U+212A into "k"
    and U+017F into "s", which would let a group named with them pass for another.
    """
    if name.isascii():
        return name.lower()
    kept_apart = (unicodedata.normalize("NFC", character) for character in name)
    if not any(
        now.isascii() and not before.isascii() for before, now in zip(name, kept_apart, strict=True)
    ):
        name = unicodedata.normalize("NFC", name)
    return "".join(_fold(character) for character in name)


def _fold(character: str) -> str:
    if character.isascii():
        return character.lower()
    folded = character.casefold()
    return character if folded.isascii() else folded
