"""User names: which are allowed, and when two of them are the same."""

from __future__ import annotations

import unicodedata

from idp.directory.characters import refused_in_identifier
from idp.errors import IdpError

LONGEST = 128
_LONGEST_KEY = 256


class BadUsername(IdpError):
    """Text that can't be a user name."""


def prepared_username(text: str, longest: int = LONGEST) -> str:
    """The user name in NFC, as it is stored and shown. Raises BadUsername.

    1 to `longest` characters after RFC 8265 section 3.4 (UsernameCasePreserved), but with single
    inner spaces allowed, as directories have them.
    """
    if not text:
        raise BadUsername("The user name is empty.", "Give 1 to 128 characters.")
    if len(text) > longest:
        raise BadUsername(
            f"The user name has {len(text)} characters.", f"At most {longest} are allowed."
        )
    refused = refused_in_identifier(text)
    if refused:
        raise BadUsername(
            f"The user name has the character {refused}, which is invisible or a control.",
            "Leave it out.",
        )
    if text != text.strip():
        raise BadUsername("The user name begins or ends with a space.", "Leave it out.")
    name = unicodedata.normalize("NFC", text)
    key = username_key(name)
    if not key or len(key) > _LONGEST_KEY or len(name) > longest:
        raise BadUsername(
            "The user name is too long when written out in plain letters.", "Choose a shorter one."
        )
    return name


def username_key(text: str) -> str:
    """What two spellings of one user name have in common; the database holds it unique.

    Compatibility caseless matching (The Unicode Standard 3.13, D146), composed, with runs of
    spaces taken as one, as LDAP compares names (RFC 4518 section 2.6.1).
    """
    if text.isascii():
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFD", text).casefold()
    folded = unicodedata.normalize("NFKD", folded).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
