"""The local directory: people in our own database."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.db.models import LocalMembershipRow, LocalUserRow, PersonRow, SessionRow
from idp.directory.characters import refused_in_value
from idp.directory.interface import Authentication, MayTry, always
from idp.directory.local_accounts import LocalAccount, account_from, read_accounts
from idp.directory.passwords import Passwords, check_new_password
from idp.directory.person import Person
from idp.directory.profile import (
    checked_attributes,
    checked_display_name,
    checked_email,
    checked_groups,
    checked_profile,
)
from idp.directory.realms import unqualified
from idp.directory.seen import CheckedStep, LeftOut, Seen, SeenGroup, untold
from idp.directory.usernames import BadUsername, prepared_username, username_key
from idp.errors import IdpError

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class UserExists(IdpError):
    """The user name is taken, in this spelling or one that counts as the same."""

    status = 409


class NoSuchUser(IdpError):
    """Nobody in the local directory has that user name."""

    status = 404


class LocalDirectory:
    """People of the tables local_users and local_memberships; implements `Directory`."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        name: str = "local",
        realms: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._realms = realms
        self._database = database
        self._passwords = passwords

    def authenticate(
        self, username: str, password: str, may_try: MayTry = always
    ) -> Authentication:
        """Check a password: exactly one Argon2 verification, whoever is asked for.

        Everybody has one name here, so `may_try` has nothing to say.
        """
        row = self._row(username)
        right = self._passwords.verify(row.password_hash if row else None, password)
        if row is None:
            return Authentication(None, "unknown_user")
        if row.password_hash is None:
            return Authentication(None, "no_password")
        if not right:
            return Authentication(None, "wrong_password")
        if row.disabled_at:
            return Authentication(None, "disabled")
        if self._passwords.needs_rehash(row.password_hash):
            self._rehash(row.id, row.password_hash, password)
        return Authentication(account_from(row, self.name).person)

    def find(self, directory_id: str) -> Person | None:
        """The person as they are now; None if gone or disabled."""
        if not _ID.fullmatch(directory_id):
            return None
        with self._database.reading() as session:
            row = session.get(LocalUserRow, directory_id)
        return account_from(row, self.name).person if row and not row.disabled_at else None

    def find_by_name(self, username: str) -> Person | None:
        """The same by user name, in any spelling."""
        row = self._row(username)
        return account_from(row, self.name).person if row and not row.disabled_at else None

    def people(self, left_out: LeftOut = untold) -> Iterator[Person]:
        """All enabled people by user name, in constant memory. Nobody is left out."""
        for account in read_accounts(self._database, self.name, disabled=False):
            yield account.person

    def accounts(self, group: str | None = None) -> Iterator[LocalAccount]:
        """All accounts, disabled ones too, in constant memory; `group` narrows to its members."""
        if group is not None and refused_in_value(group):
            return iter(())
        return read_accounts(self._database, self.name, group=group)

    def account(self, username: str) -> LocalAccount:
        """One account, disabled or not. Raises NoSuchUser."""
        row = self._row(username)
        if row is None:
            raise _nobody(username)
        return account_from(row, self.name)

    def add(
        self,
        username: str,
        *,
        now: datetime,
        display_name: str = "",
        email: str | None = None,
        groups: Iterable[str] = (),
        attributes: Mapping[str, Iterable[str]] | None = None,
        password: str | None = None,
    ) -> Person:
        """Add a person; without a password they can't sign in yet.

        Raises UserExists, BadUsername, BadProfile, BadPassword.
        """
        profile = checked_profile(username, display_name, email, groups, attributes)
        password_hash = None
        if password is not None:
            check_new_password(password, profile.username)
            password_hash = self._passwords.hash(password)
        row = LocalUserRow(
            id=uuid.uuid4().hex,
            username=profile.username,
            username_key=username_key(profile.username),
            display_name=profile.display_name,
            email=profile.email,
            password_hash=password_hash,
            attributes={name: list(values) for name, values in profile.attributes.items()},
            created_at=now,
            groups=[LocalMembershipRow(group_name=group) for group in profile.groups],
        )
        try:
            with self._database.writing() as session:
                session.add(row)
        except IntegrityError:
            raise UserExists(
                f"There is a user {profile.username!r} already.",
                "Choose another name, or change that user.",
            ) from None
        return account_from(row, self.name).person

    def set_password(self, username: str, password: str) -> Person:
        """Replace the password and end the person's sessions. Raises NoSuchUser, BadPassword."""
        check_new_password(password, username)
        password_hash = self._passwords.hash(password)
        with self._database.writing() as session:
            row = self._row_to_change(session, username)
            row.password_hash = password_hash
            end_sessions(session, self.name, [row.id])
        return account_from(row, self.name).person

    def disable(self, username: str, now: datetime) -> Person:
        """Refuse the person from now on and end their sessions. Raises NoSuchUser."""
        with self._database.writing() as session:
            row = self._row_to_change(session, username)
            row.disabled_at = row.disabled_at or now
            end_sessions(session, self.name, [row.id])
        return account_from(row, self.name).person

    def enable(self, username: str) -> Person:
        """Let a disabled person sign in again. Raises NoSuchUser."""
        with self._database.writing() as session:
            row = self._row_to_change(session, username)
            row.disabled_at = None
        return account_from(row, self.name).person

    def set_groups(self, username: str, groups: Iterable[str]) -> Person:
        """Replace all memberships. Raises NoSuchUser, BadProfile."""
        return self.update(username, groups=groups)

    def update(
        self,
        username: str,
        *,
        display_name: str | None = None,
        email: str | None = None,
        groups: Iterable[str] | None = None,
        attributes: Mapping[str, Iterable[str]] | None = None,
    ) -> Person:
        """Replace what is given and leave the rest; an empty e-mail address removes it.

        Raises NoSuchUser, BadProfile.
        """
        with self._database.writing() as session:
            row = self._row_to_change(session, username)
            if display_name is not None:
                row.display_name = checked_display_name(display_name)
            if email is not None:
                row.email = checked_email(email) if email else None
            if attributes is not None:
                checked = checked_attributes(attributes)
                row.attributes = {name: list(values) for name, values in checked.items()}
            if groups is not None:
                replace_groups(session, row.id, checked_groups(groups))
                session.flush()
                session.refresh(row, ["groups"])
        return account_from(row, self.name).person

    def see(self, username: str) -> Seen | None:
        """Somebody, disabled or not; None for nobody."""
        row = self._row(username)
        if row is None:
            return None
        person = account_from(row, self.name).person
        return Seen(person, row.disabled_at is not None, tuple(map(SeenGroup, person.groups)))

    def check(self) -> Iterator[CheckedStep]:
        """Whether anybody can sign in. The database itself has been opened by then."""
        good = next(self.people(), None) is not None
        message = "people are found" if good else "nobody in it can sign in"
        yield CheckedStep("", "search", good, message, "" if good else "Run: idp user add NAME")

    def close(self) -> None:
        """Nothing: the database is not ours to close."""

    def _row(self, username: str) -> LocalUserRow | None:
        try:
            bare = unqualified(username, self._realms) or username
            key = username_key(prepared_username(bare))
        except BadUsername:
            return None
        with self._database.reading() as session:
            return session.scalar(select(LocalUserRow).where(LocalUserRow.username_key == key))

    def _row_to_change(self, session: Session, username: str) -> LocalUserRow:
        try:
            key = username_key(prepared_username(username))
        except BadUsername:
            raise _nobody(username) from None
        query = select(LocalUserRow).where(LocalUserRow.username_key == key).with_for_update()
        row = session.scalar(query)
        if row is None:
            raise _nobody(username)
        return row

    def _rehash(self, user_id: str, old: str, password: str) -> None:
        """Store the password under the present parameters, unless it has changed meanwhile."""
        new = self._passwords.hash(password)
        with self._database.writing() as session:
            session.execute(
                update(LocalUserRow)
                .where(LocalUserRow.id == user_id, LocalUserRow.password_hash == old)
                .values(password_hash=new)
            )


def replace_groups(session: Session, user_id: str, groups: Iterable[str]) -> None:
    """Make `groups` the memberships of a local user."""
    session.execute(delete(LocalMembershipRow).where(LocalMembershipRow.user_id == user_id))
    rows = [{"user_id": user_id, "group_name": group} for group in groups]
    if rows:
        session.execute(insert(LocalMembershipRow), rows)


def end_sessions(session: Session, directory: str, directory_ids: Sequence[str]) -> None:
    """Delete all sessions of these people, in the caller's transaction."""
    people = select(PersonRow.id).where(
        PersonRow.directory == directory, PersonRow.directory_id.in_(directory_ids)
    )
    session.execute(
        delete(SessionRow)
        .where(SessionRow.person_id.in_(people))
        .execution_options(synchronize_session=False)
    )


def _nobody(username: str) -> NoSuchUser:
    return NoSuchUser(
        f"There is no local user {username[:128]!r}.", "See the names with: idp user list"
    )
