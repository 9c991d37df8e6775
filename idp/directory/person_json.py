"""A person as JSON, the way a session keeps them; strict in both directions."""

from __future__ import annotations

from typing import Any

from idp.directory.person import Group, Person
from idp.errors import IdpError

_FIELDS = frozenset(
    ("directory", "directory_id", "username", "display_name", "email", "groups", "attributes")
)
_GROUP_FIELDS = frozenset(("name", "dn", "sid"))


class BadPersonDocument(IdpError):
    """A stored person is not in the form that this version writes."""

    status = 500

    def __init__(self, what: str) -> None:
        super().__init__(f"The stored person can't be read: {what}.", "Sign in again.")


def person_to_json(person: Person) -> dict[str, Any]:
    """The person as a document of JSON types."""
    return {
        "directory": person.directory,
        "directory_id": person.directory_id,
        "username": person.username,
        "display_name": person.display_name,
        "email": person.email,
        "groups": [
            {"name": group.name, "dn": group.dn, "sid": group.sid} for group in person.groups
        ],
        "attributes": {name: list(values) for name, values in person.attributes.items()},
    }


def person_from_json(document: object) -> Person:
    """The person of a document that `person_to_json` wrote. Raises BadPersonDocument."""
    fields = _object(document, _FIELDS, "person")
    groups = fields["groups"]
    if not isinstance(groups, list):
        raise BadPersonDocument("groups is not a list")
    return Person(
        directory=_text(fields["directory"], "directory"),
        directory_id=_text(fields["directory_id"], "directory_id"),
        username=_text(fields["username"], "username"),
        display_name=_text(fields["display_name"], "display_name"),
        email=_optional_text(fields["email"], "email"),
        groups=tuple(_group(group) for group in groups),
        attributes=_attributes(fields["attributes"]),
    )


def _group(document: object) -> Group:
    fields = _object(document, _GROUP_FIELDS, "group")
    return Group(
        name=_text(fields["name"], "group name"),
        dn=_optional_text(fields["dn"], "group dn"),
        sid=_optional_text(fields["sid"], "group sid"),
    )


def _attributes(document: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(document, dict):
        raise BadPersonDocument("attributes is not an object")
    attributes = {}
    for name, values in document.items():
        if not isinstance(values, list):
            raise BadPersonDocument(f"attribute {name} is not a list")
        attributes[_text(name, "attribute name")] = tuple(_text(value, name) for value in values)
    return attributes


def _object(document: object, names: frozenset[str], what: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise BadPersonDocument(f"the {what} is not an object")
    if document.keys() != names:
        odd = ", ".join(sorted(str(name) for name in document.keys() ^ names))
        raise BadPersonDocument(f"the {what} has too many or too few fields: {odd}")
    return document


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise BadPersonDocument(f"{what} is not text")
    return value


def _optional_text(value: object, what: str) -> str | None:
    return None if value is None else _text(value, what)
