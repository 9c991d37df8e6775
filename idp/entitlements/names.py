"""How names of users and groups are compared."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

REMEMBERED = 20_000


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


@lru_cache(maxsize=REMEMBERED)
def loose_key(text: str) -> str:
    """What texts have in common that a directory may take for one (RFC 4518): for denying alone.

    Besides case that is how wide characters are and other compatibility forms, how many blanks
    stand in a row, and what is invisible. So a rule that denies can't be walked around by another
    spelling, and no rule that gives is met by one.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(c for c in folded if unicodedata.category(c) != "Cf").split())


def _fold(character: str) -> str:
    if character.isascii():
        return character.lower()
    folded = character.casefold()
    return character if folded.isascii() else folded
