"""A directory whose people live in Active Directory."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from idp.directory.active_directory import account
from idp.directory.active_directory.even import EvenRefusals
from idp.directory.active_directory.groups import GroupReader
from idp.directory.active_directory.identifiers import guid_bytes, sid_text
from idp.directory.active_directory.names import (
    filter_for,
    filter_for_guid,
    filter_for_principal,
)
from idp.directory.active_directory.normal import completed
from idp.directory.active_directory.refusals import reason_of
from idp.directory.interface import (
    Authentication,
    DirectoryUnavailable,
    MayTry,
    PersonUnavailable,
    always,
)
from idp.directory.kerberos.ticket import Ticket
from idp.directory.ldap.attributes import UnusableEntry, attribute_map
from idp.directory.ldap.check import check_chain
from idp.directory.ldap.client import Client
from idp.directory.ldap.connection import Answer, Connection
from idp.directory.ldap.search import Entry, TooManyEntries, all_of, find, pages
from idp.directory.ldap.tree import Membership
from idp.directory.person import Person
from idp.directory.seen import CheckedStep, LeftOut, Seen, SeenGroup, untold
from idp.directory.usernames import BadUsername, prepared_username, username_key
from idp.settings.directories import DirectorySettings

log = logging.getLogger("idp.directory")

LONGEST_NAME = 256  # characters of a typed name
_INVALID_CREDENTIALS = 49
_LONGEST_PASSWORD = 1024  # bytes; Windows takes 256 characters
_SECONDS_FOR_A_PAGE = 60.0  # of everybody, for whom nobody waits at a form


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
        settings = completed(settings)
        self.name = settings.name
        self.client = client or Client(settings)
        self._settings = settings
        self._now = now
        self._even = EvenRefusals(sleep)
        self._map = attribute_map(settings)
        self._wanted = [*self._map.wanted(), "objectSid", *account.STATE_ATTRIBUTES]
        self._base = settings.user_base_dn
        self._groups = GroupReader(
            settings.nested_groups, settings.group_base_dn, settings.most_groups
        )

    def authenticate(
        self, username: str, password: str, may_try: MayTry = always
    ) -> Authentication:
        """Find the one entry of a name, then sign on to a controller with its DN.

        The entry's own state counts besides the controller's yes: it may have been read from a
        controller that knows of a change already, and the password checked by one that does not.
        """
        secret = _usable(password)
        if secret is None:
            return Authentication(None, "wrong_password")
        began = time.monotonic()
        entry, reason = self._named(username)
        if not may_try(self._map.counted_id(entry)) and entry:
            entry, reason = None, "throttled"
        if entry is None:
            # Nobody is asked for, with a password of nobody's: the time is what counts.
            nobody = f"CN={secrets.token_hex(12)},{self._base}"
            self.client.check_password(nobody, secrets.token_hex(12).encode())
            self._even.unknown(time.monotonic() - began)
            return Authentication(None, reason)
        refusal = self._refusal(self.client.check_password(entry.dn, secret))
        if refusal:
            self._even.known(time.monotonic() - began)
            return Authentication(None, refusal)
        return self._admitted(entry)

    def authenticate_ticket(self, ticket: Ticket) -> Authentication:
        """The holder of a Kerberos ticket, if the account may be used now.

        What the controller signed about the account has to be true of the entry: a name may have
        been given to somebody else since the ticket was issued.
        """
        principal = f"{ticket.name}@{ticket.realm}"
        condition = filter_for_principal(ticket.name, ticket.realm, self._settings.realms)
        entry, reason = self._one(condition, (ticket.name, principal))
        if entry is None:
            return Authentication(None, reason)
        sid = entry.raw("objectSid")
        if ticket.sid is not None and (sid is None or sid_text(sid) != ticket.sid):
            return Authentication(None, "kerberos_other_account")
        return self._admitted(entry)

    def find(self, directory_id: str) -> Person | None:
        """The person as they are now; None if gone, or not to sign in now for any reason."""
        guid = guid_bytes(directory_id)
        entry, _ = self._one(filter_for_guid(guid) if guid else None)
        return self._admitted(entry).person if entry else None

    def find_by_name(self, username: str) -> Person | None:
        """The same by any name that signs the person in."""
        entry, _ = self._named(username)
        return self._admitted(entry).person if entry else None

    def people(self, left_out: LeftOut = untold) -> Iterator[Person]:
        """Everyone who may sign in now, in constant memory. Raises DirectoryUnavailable.

        Their groups are asked for one by one, as a sign-in does, since no other way says the same.
        Whose groups can't all be known is left out, with a line in the log, as they can't sign in.
        """

        def read(connection: Connection) -> Iterator[Entry]:
            size, seconds = self._settings.page_size, _SECONDS_FOR_A_PAGE
            everybody = self._map.user_filter
            yield from pages(
                connection, self._base, everybody, self._wanted, page_size=size, seconds=seconds
            )

        for entry in self.client.stream(read):
            try:
                found = self._admitted(entry)
            except PersonUnavailable as problem:
                self._log("the groups of somebody can't be known", dn=entry.dn, reason=problem.word)
                left_out(entry.dn, problem.word)
                continue
            if found.person is not None:
                yield found.person
            elif found.reason == "unusable_entry":
                left_out(entry.dn, found.reason)

    def see(self, username: str) -> Seen | None:
        """What we see of somebody, disabled or not, with the way by which each group came.

        None for nobody, and for an entry that can't be a person. Raises DirectoryUnavailable.
        """
        entry, _ = self._named(username)
        if entry is None:
            return None
        found = self._memberships(entry, self._groups.unlimited(), with_paths=True)
        person = self._person(entry, found)
        if person is None:
            return None
        groups = tuple(SeenGroup(each.group, each.path) for each in found)
        reason = account.refusal(entry.values, self._now()) or self._groups.excess(found)
        return Seen(person, bool(reason), groups, entry.dn, reason)

    def check(self) -> Iterator[CheckedStep]:
        """Walk the whole chain to each controller, up to the first step that fails."""
        return check_chain(self.client, self._map, self._base, self._groups)

    def close(self) -> None:
        """Close every connection that lies idle."""
        self.client.close()

    def _named(self, username: str) -> tuple[Entry | None, str]:
        """The entry that a typed name belongs to, or None and the word for the audit row."""
        try:
            name = prepared_username(username, LONGEST_NAME)
        except BadUsername:  # controls, and what is invisible: Samba ends a name at a NUL
            return None, "unknown_user"
        called = (name, name.rpartition("\\")[2], name.rpartition("@")[0])
        return self._one(filter_for(name, self._settings.realms), called)

    def _one(self, condition: str | None, called: Sequence[str] = ()) -> tuple[Entry | None, str]:
        """The one entry that matches, or None and the word for why there is none.

        With `called` it has to have one of these names by our own rules of sameness too: those of
        Windows take ann and änn for one.
        """
        if condition is None:
            return None, "unknown_user"
        whole = all_of((self._map.user_filter, condition))
        try:
            found = self.client.ask(lambda c: find(c, self._base, whole, self._wanted, most=1))
        except TooManyEntries:
            self._log("a name belongs to several entries", reason="ambiguous")
            return None, "ambiguous"
        if found and called and not _is_called(found[0], called):
            self._log("an entry came that has another name", dn=found[0].dn)
            return None, "unknown_user"
        return (found[0], "") if found else (None, "unknown_user")

    def _admitted(self, entry: Entry) -> Authentication:
        """The person of an entry, with all groups, unless the account may not be used now."""
        reason = account.refusal(entry.values, self._now())
        if reason:
            return Authentication(None, reason)
        person = self._person(entry, self._memberships(entry, self._groups))
        return Authentication(person, "" if person else "unusable_entry")

    def _memberships(
        self, entry: Entry, groups: GroupReader, *, with_paths: bool = False
    ) -> list[Membership]:
        return self.client.ask(
            lambda connection: groups.memberships(connection, entry, with_paths=with_paths)
        )

    def _person(self, entry: Entry, memberships: Sequence[Membership]) -> Person | None:
        try:
            return self._map.person(entry, self.name, [each.group for each in memberships])
        except UnusableEntry as problem:
            self._log("an entry can't be a person", dn=entry.dn, reason=str(problem))
            return None

    def _refusal(self, answer: Answer) -> str:
        """The word for a controller's no; "" if it said yes. Raises DirectoryUnavailable."""
        if answer.code == 0:
            return ""
        if answer.code == _INVALID_CREDENTIALS:
            return reason_of(answer.message)
        said = f"{answer.description} ({answer.code}) {answer.message}"
        self._log("a controller gave no usable answer to a password", reason=said)
        raise DirectoryUnavailable(self.name, "it gave no usable answer")

    def _log(self, what: str, **fields: str) -> None:
        log.warning(what, extra={"directory": self.name, **fields})


def _is_called(entry: Entry, names: Sequence[str]) -> bool:
    keys = {username_key(name) for name in names if name}
    own = (*entry.texts("sAMAccountName"), *entry.texts("userPrincipalName"))
    return any(username_key(name) in keys for name in own)


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
