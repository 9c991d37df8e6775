"""A directory whose people live in Active Directory."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from idp.directory.active_directory import account
from idp.directory.active_directory.controllers import listed_controllers
from idp.directory.active_directory.even import EvenRefusals
from idp.directory.active_directory.groups import GroupReader, GroupsUnreadable, domain_of, paths
from idp.directory.active_directory.identifiers import BadIdentifier, guid_bytes, sid_text
from idp.directory.active_directory.names import (
    IS_PERSON,
    filter_for,
    filter_for_guid,
    filter_for_principal,
)
from idp.directory.active_directory.refusals import reason_of
from idp.directory.interface import Authentication, DirectoryUnavailable
from idp.directory.kerberos.ticket import Ticket
from idp.directory.ldap.attributes import UnusableEntry, attribute_map
from idp.directory.ldap.client import Client
from idp.directory.ldap.connection import Answer, Connection
from idp.directory.ldap.openldap import Seen
from idp.directory.ldap.search import Entry, TooManyEntries, all_of, find, pages
from idp.directory.person import Person
from idp.settings.directories import DirectorySettings

log = logging.getLogger("idp.directory")

T = TypeVar("T")

_INVALID_CREDENTIALS = 49
_LONGEST_PASSWORD = 1024  # bytes; Windows takes 256 characters
_SECONDS_FOR_A_PAGE = 60.0  # of everybody, for whom nobody waits at a form
_IDENTITY = ("objectSid", "primaryGroupID", "memberOf")


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


class ActiveDirectory:
    """Implements `Directory`, and the `TicketDirectory` of sign-ins with Kerberos."""

    def __init__(
        self,
        settings: DirectorySettings,
        client: Client | None = None,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = settings.name
        settings = settings.model_copy(update={"preset": "active_directory"})
        self.client = client or Client(settings, listed_controllers(settings))
        self._settings = settings
        self._now = now
        self._even = EvenRefusals(sleep)
        self._map = attribute_map(settings)
        self._wanted = [*self._map.wanted(), *_IDENTITY, *account.STATE_ATTRIBUTES]
        self._base = settings.user_base_dn or settings.base_dn
        self._groups = GroupReader(
            settings.nested_groups,
            settings.group_base_dn or domain_of(self._base) or self._base,
            settings.most_groups,
        )

    def authenticate(self, username: str, password: str) -> Authentication:
        """Find the one entry of a name, then sign on to a controller with its DN.

        The entry's own state counts besides the controller's yes: it may have been read from a
        controller that knows of a change already, and the password checked by one that does not.
        """
        secret = _usable(password)
        if secret is None:
            return Authentication(None, "wrong_password")
        began = time.monotonic()
        entry, reason = self._one(filter_for(username, self._settings.realms))
        if entry is None:
            # Nobody is asked for, with a password of nobody's: the time is what counts.
            nobody = f"CN={secrets.token_hex(12)},{self._base}"
            self.client.check_password(nobody, secrets.token_hex(12).encode())
            self._even.unknown(time.monotonic() - began)
            return Authentication(None, reason)
        own_name = entry.text("sAMAccountName") or ""
        refusal = self._refusal(self.client.check_password(entry.dn, secret))
        if refusal:
            self._even.known(time.monotonic() - began)
            return Authentication(None, refusal, own_name)
        return self._admitted(entry)

    def authenticate_ticket(self, ticket: Ticket) -> Authentication:
        """The holder of a Kerberos ticket, if the account may be used now.

        What the controller signed about the account has to be true of the entry: a name may have
        been given to somebody else since the ticket was issued.
        """
        condition = filter_for_principal(ticket.name, ticket.realm, self._settings.realms)
        entry, reason = self._one(condition)
        if entry is None:
            return Authentication(None, reason)
        sid = entry.raw("objectSid")
        if ticket.sid is not None and (sid is None or sid_text(sid) != ticket.sid):
            return Authentication(None, "kerberos_other_account")
        return self._admitted(entry)

    def find(self, directory_id: str) -> Person | None:
        """The person as they are now; None if gone, or not to sign in now for any reason."""
        guid = guid_bytes(directory_id)
        return self._found(filter_for_guid(guid)) if guid else None

    def find_by_name(self, username: str) -> Person | None:
        """The same by any name that signs the person in."""
        return self._found(filter_for(username, self._settings.realms))

    def people(self) -> Iterator[Person]:
        """Everyone who may sign in now, in constant memory. Raises DirectoryUnavailable.

        Their groups are asked for one by one, as a sign-in does, since no other way says the same.
        """

        def read(connection: Connection) -> Iterator[Entry]:
            condition = self._condition(IS_PERSON)
            size = self._settings.page_size
            yield from pages(
                connection,
                self._base,
                condition,
                self._wanted,
                page_size=size,
                seconds=_SECONDS_FOR_A_PAGE,
            )

        for entry in self.client.stream(read):
            person = self._admitted(entry).person
            if person is not None:
                yield person

    def see(self, username: str) -> Seen | None:
        """What we see of somebody, enabled or not, with the way by which each group came.

        Raises DirectoryUnavailable, UnusableEntry.
        """
        entry, _ = self._one(filter_for(username, self._settings.realms))
        if entry is None:
            return None
        found = self._read(lambda connection: self._groups.groups(connection, entry))
        memberships = paths(entry, found, self._settings.most_groups)
        person = self._map.person(entry, self.name, [each.group for each in found])
        disabled = bool(account.refusal(entry.values, self._now()))
        return Seen(person, entry.dn, disabled, tuple(memberships))

    def close(self) -> None:
        """Close every connection that lies idle."""
        self.client.close()

    def _found(self, condition: str | None) -> Person | None:
        entry, _ = self._one(condition)
        return self._admitted(entry).person if entry else None

    def _one(self, condition: str | None) -> tuple[Entry | None, str]:
        """The one entry that matches, or None and the word for why there is none."""
        if condition is None:
            return None, "unknown_user"
        whole = self._condition(condition)
        try:
            found = self.client.ask(lambda c: find(c, self._base, whole, self._wanted, most=1))
        except TooManyEntries:
            log.warning("a name belongs to several entries", extra={"directory": self.name})
            return None, "ambiguous"
        return (found[0], "") if found else (None, "unknown_user")

    def _condition(self, condition: str) -> str:
        return all_of((condition, self._settings.user_filter))

    def _admitted(self, entry: Entry) -> Authentication:
        """The person of an entry, with all groups, unless the account may not be used now."""
        own_name = entry.text("sAMAccountName") or ""
        reason = account.refusal(entry.values, self._now())
        if reason:
            return Authentication(None, reason, own_name)
        groups = self._read(lambda connection: self._groups.groups(connection, entry))
        try:
            person = self._map.person(entry, self.name, [each.group for each in groups])
        except UnusableEntry as problem:
            fields = {"directory": self.name, "dn": entry.dn, "reason": str(problem)}
            log.warning("an entry can't be a person", extra=fields)
            return Authentication(None, "unusable_entry", own_name)
        return Authentication(person, "", own_name)

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            return self.client.ask(work)
        except GroupsUnreadable:
            detail = "tokenGroups is empty: put bind_dn into Windows Authorization Access Group"
        except BadIdentifier as problem:
            detail = str(problem)
        log.error("groups can't be read", extra={"directory": self.name, "detail": detail})
        raise DirectoryUnavailable(self.name, "groups can't be read")

    def _refusal(self, answer: Answer) -> str:
        """The word for a controller's no; "" if it said yes. Raises DirectoryUnavailable."""
        if answer.code == 0:
            return ""
        if answer.code == _INVALID_CREDENTIALS:
            return reason_of(answer.message)
        detail = f"{answer.description} ({answer.code}) {answer.message}"
        log.error("passwords can't be checked", extra={"directory": self.name, "detail": detail})
        raise DirectoryUnavailable(self.name, "it gave no usable answer")


def _usable(password: str) -> bytes | None:
    """The password's bytes; None for what can't be anybody's.

    An empty one stops here: Windows would take it for an anonymous bind and say yes (RFC 4513
    section 5.1.2). Samba and OpenLDAP refuse it, so that a test against them would not miss this.
    """
    try:
        secret = password.encode()
    except UnicodeEncodeError:
        return None
    return secret if 0 < len(secret) <= _LONGEST_PASSWORD and b"\0" not in secret else None
