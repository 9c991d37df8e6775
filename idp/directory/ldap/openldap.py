"""A directory in an LDAP server such as OpenLDAP: search for the entry, then bind as it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator

from idp.directory.interface import Authentication, DirectoryUnavailable, MayTry, always
from idp.directory.ldap import password_policy
from idp.directory.ldap.attributes import UnusableEntry, attribute_map
from idp.directory.ldap.check import check_chain
from idp.directory.ldap.client import Client
from idp.directory.ldap.connection import Connection
from idp.directory.ldap.failure import Refused
from idp.directory.ldap.groups import MEMBER_OF, GroupReader
from idp.directory.ldap.search import Entry, TooManyEntries, all_of, any_of, equals, find
from idp.directory.ldap.snapshot import people_with_groups
from idp.directory.ldap.tree import GroupsNotWhole, Membership
from idp.directory.passwords import BadPassword, prepared_password
from idp.directory.person import Person
from idp.directory.realms import unqualified
from idp.directory.seen import CheckedStep, LeftOut, Seen, SeenGroup, untold
from idp.directory.usernames import BadUsername, prepared_username, username_key
from idp.settings.directories import DirectorySettings

log = logging.getLogger("idp.directory")

LONGEST_NAME = 256
# Attributes that say that somebody is locked out for good: OpenLDAP's ppolicy, 389 Directory
# Server, eDirectory. A lock that ends by itself is not among them, or strangers who guess could
# end somebody's sessions.
_DISABLED = {
    "pwdAccountLockedTime": "000001010000Z",
    "nsAccountLock": "true",
    "loginDisabled": "true",
}
_ALSO_WANTED = (MEMBER_OF, "gidNumber", *_DISABLED)


class LdapDirectory:
    """People of one LDAP directory; implements `Directory`."""

    def __init__(self, settings: DirectorySettings, client: Client | None = None) -> None:
        self.name = settings.name
        self.client = client or Client(settings)
        self._settings = settings
        self._map = attribute_map(settings)
        self._base = settings.user_base_dn or settings.base_dn
        self._groups = GroupReader(
            base=settings.group_base_dn or settings.base_dn or settings.user_base_dn,
            sources=settings.groups_from,
            depth=settings.group_depth,
            most=settings.most_groups,
            page_size=settings.page_size,
            id=self._map.id,
        )
        self._nobody = f"cn=nobody-{secrets.token_hex(8)},{self._base}"

    def authenticate(
        self, username: str, password: str, may_try: MayTry = always
    ) -> Authentication:
        """Search for the one entry of that name, and bind as it.

        A name that nobody has, or more than one, or whose owner may not try now, costs a bind as
        well, as an entry that is not there. Raises DirectoryUnavailable.
        """
        try:
            secret = prepared_password(password)
        except BadPassword:
            return Authentication(None, "wrong_password")
        entry, reason = self._entry_named(username)
        if not may_try(self._map.counted_id(entry)) and entry:
            entry, reason = None, "throttled"
        answer = self.client.check_password(
            entry.dn if entry else self._nobody, secret, [(password_policy.CONTROL, False, None)]
        )
        if entry is None:
            return Authentication(None, reason)
        try:
            refusal = password_policy.refusal_reason(answer)
            if refusal:
                return Authentication(None, refusal)
            if _is_disabled(entry):
                return Authentication(None, "disabled")
            return Authentication(self._person(entry))
        except UnusableEntry as problem:
            self._log("an entry can't be a person", dn=entry.dn, reason=str(problem))
            return Authentication(None, "unusable_entry")
        except Refused as problem:
            self._log("a bind got no usable answer", dn=entry.dn, reason=str(problem))
            raise DirectoryUnavailable(self.name, "it gave no usable answer") from None

    def find(self, directory_id: str) -> Person | None:
        """The person as they are now; None if gone, disabled, or no longer matching the filter."""
        filter_ = self._map.id_filter(directory_id)
        if filter_ is None:
            return None
        entry, _ = self._one(filter_)
        if entry is None or _is_disabled(entry):
            return None
        try:
            return self._person(entry)
        except UnusableEntry:
            return None

    def find_by_name(self, username: str) -> Person | None:
        """The same by user name, in any spelling that signs the person in."""
        entry, _ = self._entry_named(username)
        if entry is None or _is_disabled(entry):
            return None
        try:
            return self._person(entry)
        except UnusableEntry:
            return None

    def people(self, left_out: LeftOut = untold) -> Iterator[Person]:
        """Everyone enabled, in constant memory: groups wait in a temporary file.

        Entries that can't be people, and people whose groups can't all be known, are left out, with
        a line in the log: they can't sign in either. Raises DirectoryUnavailable, also in the
        middle.
        """
        return self.client.stream(lambda connection: self._people(connection, left_out))

    def see(self, username: str) -> Seen | None:
        """What we see of somebody, disabled or not, with the way by which each group came.

        None for nobody, and for an entry that can't be a person. Raises DirectoryUnavailable.
        """
        entry, _ = self._entry_named(username)
        if entry is None:
            return None
        try:
            self._map.user_name(entry)
            self._map.directory_id(entry)
        except UnusableEntry as problem:
            self._log("an entry can't be a person", dn=entry.dn, reason=str(problem))
            return None
        found = self._memberships(entry, self._groups.unlimited(), with_paths=True)
        person = self._map.person(entry, self.name, [each.group for each in found])
        groups = tuple(SeenGroup(each.group, each.path) for each in found)
        reason = "disabled" if _is_disabled(entry) else self._groups.excess(found)
        return Seen(person, bool(reason), groups, entry.dn, reason)

    def check(self) -> Iterator[CheckedStep]:
        """Walk the whole chain to each server, up to the first step that fails."""
        return check_chain(self.client, self._map, self._base, self._groups)

    def close(self) -> None:
        """Close every connection that lies idle."""
        self.client.close()

    def _people(self, connection: Connection, left_out: LeftOut) -> Iterator[Person]:
        wanted = [*self._map.wanted(), *_ALSO_WANTED]
        filter_ = self._map.user_filter
        for entry, groups in people_with_groups(
            connection, self._base, filter_, wanted, self._map.username, self._groups
        ):
            if _is_disabled(entry):
                continue
            if isinstance(groups, GroupsNotWhole):
                self._log("the groups of somebody can't be known", dn=entry.dn, reason=groups.word)
                left_out(entry.dn, groups.word)
                continue
            try:
                yield self._map.person(entry, self.name, groups)
            except UnusableEntry as problem:
                self._log("an entry can't be a person", dn=entry.dn, reason=str(problem))
                left_out(entry.dn, "unusable_entry")

    def _person(self, entry: Entry) -> Person:
        groups = [each.group for each in self._memberships(entry, self._groups)]
        return self._map.person(entry, self.name, groups)

    def _memberships(
        self, entry: Entry, groups: GroupReader, *, with_paths: bool = False
    ) -> list[Membership]:
        username = self._map.user_name(entry)
        return self.client.ask(
            lambda connection: groups.memberships(
                connection, entry, username, with_paths=with_paths
            )
        )

    def _entry_named(self, username: str) -> tuple[Entry | None, str]:
        """The entry that a typed name belongs to, or None and the word for the audit row."""
        try:
            name = prepared_username(username, LONGEST_NAME)
        except BadUsername:
            return None, "unknown_user"
        bare = unqualified(name, self._settings.realms)
        # "ann@corp.example" may be ann of the realm, and may be what stands in mail.
        names = (
            [name] if bare is None else [each for each in (bare, name) if each and "\\" not in each]
        )
        if not names:
            return None, "unknown_user"
        filters = [equals(attribute, each) for attribute in self._map.login for each in names]
        entry, reason = self._one(any_of(filters))
        if entry and not self._is_called(entry, names):
            self._log("an entry came that has another name", dn=entry.dn, reason="not the same")
            return None, "unknown_user"
        return entry, reason

    def _one(self, filter_: str) -> tuple[Entry | None, str]:
        whole = all_of((self._map.user_filter, filter_))
        wanted = [*self._map.wanted(), *_ALSO_WANTED]
        try:
            found = self.client.ask(lambda c: find(c, self._base, whole, wanted, most=2))
        except TooManyEntries:
            found = []
            ambiguous = True
        else:
            ambiguous = len(found) > 1
        if ambiguous:
            self._log("a name belongs to several entries", reason="ambiguous")
            return None, "ambiguous"
        return (found[0], "") if found else (None, "unknown_user")

    def _is_called(self, entry: Entry, names: list[str]) -> bool:
        """Whether the entry has one of the names asked for, by our own rules of sameness too."""
        keys = {username_key(name) for name in names}
        return any(
            username_key(value) in keys
            for attribute in self._map.login
            for value in entry.texts(attribute)
        )

    def _log(self, what: str, **fields: str) -> None:
        log.warning(what, extra={"directory": self.name, **fields})


def _is_disabled(entry: Entry) -> bool:
    return any(
        value.lower() == disabled.lower()
        for name, disabled in _DISABLED.items()
        for value in entry.texts(name)
    )
