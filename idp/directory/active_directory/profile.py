"""From an entry of Active Directory to a person."""

from __future__ import annotations

from idp.directory.active_directory.account import STATE_ATTRIBUTES
from idp.directory.active_directory.identifiers import BadIdentifier, guid_text
from idp.directory.ldap.search import Entry
from idp.directory.person import Group, Person
from idp.settings.directories import DirectorySettings

# What `Person.attributes` holds of each account: lower-case names, as rules and templates use them.
PRESET = {
    "company": "company",
    "department": "department",
    "employeeid": "employeeID",
    "employeenumber": "employeeNumber",
    "givenname": "givenName",
    "mail": "mail",
    "sn": "sn",
    "title": "title",
    "userprincipalname": "userPrincipalName",
}
_IDENTITY = ("sAMAccountName", "objectGUID", "objectSid", "primaryGroupID", "displayName", "mail")


def wanted_attributes(settings: DirectorySettings) -> tuple[str, ...]:
    """The attributes that have to be asked for, constructed ones by their names."""
    own = {**PRESET, **settings.attributes}.values()
    return tuple(dict.fromkeys((*_IDENTITY, *STATE_ATTRIBUTES, *own)))


def person_of(entry: Entry, groups: tuple[Group, ...], settings: DirectorySettings) -> Person:
    """The person, whose identifier is objectGUID and whose user name the account name.

    Raises BadIdentifier for an entry that lacks them.
    """
    guid, account = entry.raw("objectGUID"), entry.text("sAMAccountName")
    if not guid or not account:
        raise BadIdentifier("The service account may not read objectGUID and sAMAccountName.")
    found = {
        name: entry.texts(attribute)
        for name, attribute in {**PRESET, **settings.attributes}.items()
    }
    return Person(
        directory=settings.name,
        directory_id=guid_text(guid),
        username=account,
        display_name=entry.text("displayName") or account,
        email=entry.text("mail"),
        groups=groups,
        attributes={name: values for name, values in found.items() if values},
    )
