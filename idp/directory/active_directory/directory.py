"""A directory whose people live in Active Directory."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from idp.directory.active_directory import account
from idp.directory.active_directory.controllers import Controllers
from idp.directory.active_directory.even import EvenRefusals
from idp.directory.active_directory.groups import GroupReader, GroupsUnreadable, domain_of
from idp.directory.active_directory.identifiers import BadIdentifier, guid_bytes, sid_text
from idp.directory.active_directory.names import (
    filter_for,
    filter_for_guid,
    filter_for_principal,
)
from idp.directory.active_directory.profile import person_of, wanted_attributes
from idp.directory.active_directory.refusals import reason_of
from idp.directory.interface import Authentication, DirectoryUnavailable
from idp.directory.kerberos.ticket import Ticket
from idp.directory.ldap.connection import Connection
from idp.directory.ldap.failure import NoServer, Refused
from idp.directory.ldap.search import Entry, TooManyEntries, find
from idp.directory.person import Group, Person
from idp.settings.directories import DirectorySettings

log = logging.getLogger("idp.directory")

_INVALID_CREDENTIALS = 49
_LONGEST_PASSWORD = 1024  # bytes; Windows takes 256 characters


class ActiveDirectory:
    """Implements `Directory`, and the `TicketDirectory` of sign-ins with Kerberos."""

    def __init__(
        self,
        settings: DirectorySettings,
        controllers: Controllers,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._controllers = controllers
        self._now = now
        self._even = EvenRefusals(sleep)
        self._people = settings.user_base_dn or settings.base_dn
        self._groups = settings.group_base_dn or domain_of(self._people) or self._people
        self._attributes = wanted_attributes(settings)

    def authenticate(self, username: str, password: str) -> Authentication:
        """Find the one entry of a name, then sign on to a controller with its DN.

        The entry's own state counts besides the controller's yes: it may have been read from a
        controller that knows of a change already, and the password checked by one that does not.
        """
        secret = _usable(password)
        if secret is None:
            return Authentication(None, "wrong_password")
        began = time.monotonic()
        with self._available():
            found = self._by_filter(filter_for(username, self._settings.realms))
            if isinstance(found, str):
                # Nobody is asked for, with a password of nobody's: the time is what counts.
                nobody = f"CN={secrets.token_hex(12)},{self._people}"
                self._controllers.sign_on(nobody, secrets.token_hex(12).encode())
                self._even.unknown(time.monotonic() - began)
                return Authentication(None, found)
            answer = self._controllers.sign_on(found.dn, secret)
            if answer.code == _INVALID_CREDENTIALS:
                self._even.known(time.monotonic() - began)
                return Authentication(None, reason_of(answer.message))
            if answer.code:
                raise Refused(answer.code, answer.description, answer.message)
            return self._admitted(found)

    def authenticate_ticket(self, ticket: Ticket) -> Authentication:
        """The holder of a Kerberos ticket, if the account may be used now.

        What the controller signed about the account has to be true of the entry: a name may have
        been given to somebody else since the ticket was issued.
        """
        condition = filter_for_principal(ticket.name, ticket.realm, self._settings.realms)
        with self._available():
            found = self._by_filter(condition)
            if isinstance(found, str):
                return Authentication(None, found)
            sid = found.raw("objectSid")
            if ticket.sid is not None and (sid is None or sid_text(sid) != ticket.sid):
                return Authentication(None, "kerberos_other_account")
            return self._admitted(found)

    def find(self, directory_id: str) -> Person | None:
        """The person as they are now; None if gone, or not to sign in now for any reason."""
        guid = guid_bytes(directory_id)
        return self._found(filter_for_guid(guid)) if guid else None

    def find_by_name(self, username: str) -> Person | None:
        """The same by any name that signs the person in."""
        return self._found(filter_for(username, self._settings.realms))

    def _found(self, condition: str | None) -> Person | None:
        with self._available():
            entry = self._by_filter(condition)
            return None if isinstance(entry, str) else self._admitted(entry).person

    def _by_filter(self, condition: str | None) -> Entry | str:
        """The one entry that matches, or the word for why there is none."""
        if condition is None:
            return "unknown_user"

        def work(connection: Connection) -> list[Entry]:
            return find(connection, self._people, condition, self._attributes, most=1)

        try:
            entries = self._controllers.run(work)
        except TooManyEntries:
            return "ambiguous"
        return entries[0] if entries else "unknown_user"

    def _admitted(self, entry: Entry) -> Authentication:
        reason = account.refusal(entry.values, self._now())
        return Authentication(None if reason else self._person(entry), reason)

    def _person(self, entry: Entry) -> Person:
        def work(connection: Connection) -> tuple[Group, ...]:
            reader = GroupReader(connection, self._groups, self._settings.most_groups)
            if self._settings.nested_groups == "chain":
                return reader.in_chain(entry)
            return reader.by_token(entry)

        return person_of(entry, self._controllers.run(work), self._settings)

    @contextmanager
    def _available(self) -> Iterator[None]:
        """Turn whatever keeps us from an answer into DirectoryUnavailable."""
        try:
            yield
        except NoServer as problem:
            reason, detail = "none of its controllers can be used", str(problem.last or problem)
        except TooManyEntries:
            reason, detail = "somebody is in too many groups", "most_groups is too small"
        except GroupsUnreadable:
            reason = "groups can't be read"
            detail = "tokenGroups is empty: see Windows Authorization Access Group"
        except (Refused, BadIdentifier) as problem:
            reason, detail = "its answer can't be used", str(problem)
        else:
            return
        log.error("a directory can't be used", extra={"directory": self.name, "reason": detail})
        raise DirectoryUnavailable(self.name, reason)


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
