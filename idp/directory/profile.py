"""What the local directory keeps of a person besides the password, and its rules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from idp.directory.characters import refused_in_label, refused_in_value
from idp.directory.usernames import prepared_username
from idp.errors import IdpError

LONGEST_NAME = 256
LONGEST_EMAIL = 320
LONGEST_VALUE = 1024
MOST_ATTRIBUTES = 100
MOST_VALUES = 100
MOST_GROUPS = 1000

# Words that mean a part of the person itself: an attribute of that name could pass for it.
RESERVED = frozenset(
    (
        *("username", "display_name", "email", "groups", "attributes"),
        *("password", "password_hash", "directory", "directory_id"),
    )
)
_ATTRIBUTE_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)
_EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


class BadProfile(IdpError):
    """Something said of a person breaks a rule of the local directory."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A checked description of a local user, as `checked_profile` makes it."""

    username: str
    display_name: str
    email: str | None = None
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def checked_profile(
    username: str,
    display_name: str = "",
    email: str | None = None,
    groups: Iterable[str] = (),
    attributes: Mapping[str, Iterable[str]] | None = None,
) -> Profile:
    """A profile with every rule held to. Raises BadUsername, BadProfile.

    An empty display name becomes the user name, an empty e-mail address none.
    """
    name = prepared_username(username)
    return Profile(
        username=name,
        display_name=checked_display_name(display_name) if display_name else name,
        email=checked_email(email) if email else None,
        groups=checked_groups(groups),
        attributes=checked_attributes(attributes or {}),
    )


def checked_display_name(text: str) -> str:
    """1 to 256 characters in NFC. Raises BadProfile."""
    return _label(text, "display name", LONGEST_NAME)


def checked_email(text: str) -> str:
    """An address with one @, at most 320 characters. Raises BadProfile."""
    email = _label(text, "e-mail address", LONGEST_EMAIL)
    if not _EMAIL.fullmatch(email):
        raise BadProfile(
            f"{text!r} is not an e-mail address.", "It should be like ann@example.com."
        )
    return email


def checked_groups(names: Iterable[str]) -> tuple[str, ...]:
    """Group names in order, without repetition; 1 to 256 characters each. Raises BadProfile."""
    groups = tuple(dict.fromkeys(_label(name, "group name", LONGEST_NAME) for name in names))
    if len(groups) > MOST_GROUPS:
        raise BadProfile(f"There are {len(groups)} groups.", f"At most {MOST_GROUPS} are allowed.")
    return groups


def checked_attributes(attributes: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Attributes by lower-case name; those without a value are left out. Raises BadProfile."""
    checked: dict[str, tuple[str, ...]] = {}
    for given, values in attributes.items():
        name = checked_attribute_name(given)
        if name in checked:
            raise BadProfile(
                f"The attribute {name} is given twice.", "Give all its values at once."
            )
        kept = tuple(dict.fromkeys(_value(name, value) for value in values))
        if len(kept) > MOST_VALUES:
            raise BadProfile(
                f"The attribute {name} has {len(kept)} values.",
                f"At most {MOST_VALUES} are allowed.",
            )
        if kept:
            checked[name] = kept
    if len(checked) > MOST_ATTRIBUTES:
        raise BadProfile(
            f"There are {len(checked)} attributes.", f"At most {MOST_ATTRIBUTES} are allowed."
        )
    return checked


def checked_attribute_name(given: str) -> str:
    """The name in lower case: a letter, then up to 63 of a-z, 0-9, "_.-". Raises BadProfile."""
    name = given.lower()
    if not _ATTRIBUTE_NAME.fullmatch(name):
        raise BadProfile(
            f"{given[:80]!r} can't be the name of an attribute.",
            "It should be a letter and up to 63 letters, digits, dots, dashes or underscores.",
        )
    if name in RESERVED:
        raise BadProfile(
            f"{name} is part of every person and can't be an attribute.", "Choose another name."
        )
    return name


def _value(name: str, text: str) -> str:
    if not 1 <= len(text) <= LONGEST_VALUE:
        raise BadProfile(
            f"A value of the attribute {name} has {len(text)} characters.",
            f"It should have 1 to {LONGEST_VALUE}.",
        )
    _refuse(refused_in_value(text), f"A value of the attribute {name}")
    return text


def _label(text: str, what: str, longest: int) -> str:
    if not 1 <= len(text) <= longest:
        raise BadProfile(
            f"The {what} has {len(text)} characters.", f"It should have 1 to {longest}."
        )
    _refuse(refused_in_label(text), f"The {what}")
    if text != text.strip():
        raise BadProfile(f"The {what} begins or ends with a space.", "Leave it out.")
    label = unicodedata.normalize("NFC", text)
    if len(label) > longest:
        raise BadProfile(f"The {what} is too long.", f"It should have 1 to {longest} characters.")
    return label


def _refuse(character: str | None, what: str) -> None:
    if character:
        raise BadProfile(f"{what} has the control character {character}.", "Leave it out.")
