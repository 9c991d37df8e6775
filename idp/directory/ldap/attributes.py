"""Which LDAP attributes make a person."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from idp.directory.characters import refused_in_label, refused_in_value
from idp.directory.person import Group, Person
from idp.directory.profile import LONGEST_EMAIL, LONGEST_NAME, RESERVED
from idp.directory.usernames import BadUsername, prepared_username
from idp.settings.directories import DirectorySettings, Preset

if TYPE_CHECKING:
    from idp.directory.ldap.search import Entry

LONGEST_VALUE = 4096  # characters; longer values are photos and the like, not something for a rule
_UNUSABLE = "\N{REPLACEMENT CHARACTER}"


class UnusableEntry(Exception):
    """An entry can't be a person: no identifier, or a name that none of ours may have."""


@dataclass(frozen=True, slots=True)
class AttributeMap:
    """LDAP's names of what we want to know of a person.

    `login` are the attributes that a typed name may equal; `others` maps our lower-case names of
    attributes to LDAP's.
    """

    user_filter: str
    login: tuple[str, ...]
    username: str
    id: str
    display_name: tuple[str, ...] = ("displayName", "cn")
    email: str = "mail"
    others: Mapping[str, str] = field(default_factory=dict)

    def wanted(self) -> list[str]:
        """Everything to ask for."""
        names = (*self.login, self.username, self.id, *self.display_name, self.email)
        return list(dict.fromkeys((*names, *self.others.values())))

    def directory_id(self, entry: Entry) -> str:
        """The identifier that never changes. Raises UnusableEntry."""
        raw = entry.raw(self.id)
        if raw is not None and _is_guid(self.id) and len(raw) == 16:
            return str(uuid.UUID(bytes_le=raw))
        text = None if _is_guid(self.id) else entry.text(self.id)
        if not text or len(text) > 128 or refused_in_value(text):
            raise UnusableEntry(f"it has no usable {self.id}")
        return text

    def counted_id(self, entry: Entry | None) -> str:
        """What attempts to be somebody are counted under: the DN if there is no identifier.

        "" for nobody.
        """
        if entry is None:
            return ""
        try:
            return self.directory_id(entry)
        except UnusableEntry:
            return entry.dn

    def id_filter(self, directory_id: str) -> str | None:
        """The filter for the entry with that identifier; None for text that can't be one."""
        # ldap3 takes long to import, and those who only ask for names need none of it.
        from idp.directory.ldap.search import equals

        if _is_guid(self.id) or self.id.lower() == "entryuuid":
            try:
                identifier = uuid.UUID(directory_id)
            except ValueError:
                return None
            guid = _is_guid(self.id)
            return equals(self.id, identifier.bytes_le if guid else str(identifier))
        return equals(self.id, directory_id) if directory_id else None

    def user_name(self, entry: Entry) -> str:
        """The name by which we know the person. Raises UnusableEntry."""
        text = entry.text(self.username)
        if not text:
            raise UnusableEntry(f"it has no {self.username}")
        try:
            return prepared_username(text)
        except BadUsername as problem:
            raise UnusableEntry(f"its {self.username} can't be a user name: {problem}") from None

    def person(self, entry: Entry, directory: str, groups: Sequence[Group]) -> Person:
        """The person of an entry. Raises UnusableEntry.

        Values that no text of ours may hold (controls, what is not UTF-8) are left out.
        """
        username = self.user_name(entry)
        names = [text for name in self.display_name for text in entry.texts(name)]
        emails = entry.texts(self.email)
        attributes = {
            ours: tuple(dict.fromkeys(filter(_usable, entry.texts(theirs))))
            for ours, theirs in self.others.items()
        }
        return Person(
            directory=directory,
            directory_id=self.directory_id(entry),
            username=username,
            display_name=next((n for n in names if _label(n, LONGEST_NAME)), username),
            email=next((e for e in emails if _label(e, LONGEST_EMAIL) and "@" in e), None),
            groups=tuple(groups),
            attributes={name: values for name, values in attributes.items() if values},
        )


PRESETS: dict[Preset, AttributeMap] = {
    "inetOrgPerson": AttributeMap(
        user_filter="(objectClass=inetOrgPerson)",
        login=("uid",),
        username="uid",
        id="entryUUID",
        others={
            "given_name": "givenName",
            "surname": "sn",
            "department": "departmentNumber",
            "employee_number": "employeeNumber",
            "employee_type": "employeeType",
            "title": "title",
            "organization": "o",
            "organizational_unit": "ou",
            "location": "l",
        },
    ),
    "active_directory": AttributeMap(
        user_filter="(&(objectCategory=person)(objectClass=user))",
        login=("sAMAccountName", "userPrincipalName"),
        username="sAMAccountName",
        id="objectGUID",
        others={
            "given_name": "givenName",
            "surname": "sn",
            "department": "department",
            "employee_number": "employeeID",
            "employee_type": "employeeType",
            "title": "title",
            "organization": "company",
            "location": "l",
            "office": "physicalDeliveryOfficeName",
            "upn": "userPrincipalName",
        },
    ),
}


def attribute_map(settings: DirectorySettings) -> AttributeMap:
    """The preset's map, with what the settings say in place of it."""
    preset = PRESETS[settings.preset]
    own = {name: ldap for name, ldap in settings.attributes.items() if name not in RESERVED}
    return AttributeMap(
        user_filter=settings.user_filter or preset.user_filter,
        login=settings.login_attributes or preset.login,
        username=settings.username_attribute or preset.username,
        id=settings.id_attribute or preset.id,
        display_name=preset.display_name,
        email=preset.email,
        others={**preset.others, **own},
    )


def group_of(entry: Entry, sid: str | None = None) -> Group:
    """The group of an entry; what can't stand in a name is replaced, so that no rule meets it."""
    name = entry.text("cn") or entry.dn
    if refused_in_value(name):
        name = "".join(_UNUSABLE if refused_in_value(c) else c for c in name)
    return Group(name, entry.dn, sid)


def _usable(text: str) -> bool:
    return 0 < len(text) <= LONGEST_VALUE and refused_in_value(text) is None


def _label(text: str, longest: int) -> bool:
    return 0 < len(text.strip()) <= longest and refused_in_label(text) is None


def _is_guid(name: str) -> bool:
    return name.lower() == "objectguid"
