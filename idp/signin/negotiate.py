"""Signing in with a Kerberos ticket, as one story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from idp.audit.text import printable
from idp.directory.active_directory.directory import ActiveDirectory
from idp.directory.interface import Authentication, DirectoryUnavailable
from idp.directory.kerberos.acceptor import TicketAcceptor, TicketRefused
from idp.directory.kerberos.ticket import Ticket
from idp.directory.usernames import LONGEST
from idp.errors import IdpError
from idp.settings import Settings, SettingsError
from idp.settings.kerberos import Network
from idp.signin.journey import Record
from idp.signin.sessions import Sessions, SignedIn

FACTOR = "kerberos"


class TicketSignInRefused(IdpError):
    """The one refusal of a ticket, whatever its cause; the cause is in the audit row alone."""

    status = 401

    def __init__(self) -> None:
        super().__init__(
            "Your network account could not be used.", "Sign in with your user name and password."
        )


class NoTicketDirectory(SettingsError):
    """kerberos.directory names no Active Directory."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"kerberos.directory is {name!r}, which is no Active Directory of ours.",
            'Name one of [[directories]] that has kind = "active_directory".',
        )


class TicketDirectory(Protocol):
    """A directory whose people hold Kerberos tickets."""

    @property
    def name(self) -> str:
        """The directory's configured name."""
        ...

    def authenticate_ticket(self, ticket: Ticket) -> Authentication:
        """The person a ticket belongs to, if they may sign in now. Raises DirectoryUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Kerberos:
    """What opens tickets, the directory that knows their holders, and who is asked for one."""

    acceptor: TicketAcceptor
    directory: TicketDirectory
    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class TicketSignIn:
    """`token` is for the session cookie; `answer` proves our service to the browser."""

    token: str
    signed_in: SignedIn
    answer: bytes


def open_kerberos(settings: Settings, directories: Mapping[str, object]) -> Kerberos | None:
    """What the settings say of Kerberos; None if nothing.

    Raises NoTicketDirectory, KerberosUnusable or KeytabUnusable, so that a server that was told to
    take tickets does not start without.
    """
    own = settings.kerberos
    if own.keytab is None:
        return None
    directory = directories.get(own.directory)
    if not isinstance(directory, ActiveDirectory):
        raise NoTicketDirectory(own.directory)
    try:
        settings.data_folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise SettingsError(
            f"data_folder {settings.data_folder} can't be made: {problem.strerror}.",
            "It keeps which tokens were used.",
        ) from None
    acceptor = TicketAcceptor(
        own.keytab,
        settings.service_principal,
        own.realm,
        settings.data_folder.resolve() / "kerberos.rcache",
    )
    return Kerberos(acceptor, directory, own.within)


def sign_in_with_ticket(
    token: bytes,
    *,
    acceptor: TicketAcceptor,
    directory: TicketDirectory,
    address: str,
    now: datetime,
    sessions: Sessions,
    record: Record,
) -> TicketSignIn:
    """Open a session, always a new one, for the holder of the ticket in `token`.

    The ticket proves who someone was when the domain controller issued it, up to ten hours ago;
    the directory says whether they may sign in now, and their groups. Every outcome is recorded
    before it is told. Raises TicketSignInRefused, DirectoryUnavailable.
    """

    def refuse(username: str, reason: str) -> None:
        shown = printable(username, LONGEST) or "?"
        record(
            "sign_in.refused",
            username=shown,
            address=address,
            directory=directory.name,
            reason=reason,
        )

    try:
        ticket, answer = acceptor.accept(token)
    except TicketRefused as refusal:
        refuse(refusal.principal, refusal.reason)
        raise TicketSignInRefused from None
    try:
        found = directory.authenticate_ticket(ticket)
    except DirectoryUnavailable as down:
        refuse(str(ticket), down.word)
        raise
    if found.person is None:
        refuse(str(ticket), found.reason)
        raise TicketSignInRefused
    opened, signed_in = sessions.open(found.person, (FACTOR,), address, now)
    record(
        "sign_in.succeeded",
        username=found.person.username,
        address=address,
        directory=found.person.directory,
        directory_id=found.person.directory_id,
        person_id=signed_in.person_id,
        factor=FACTOR,
    )
    return TicketSignIn(opened, signed_in, answer)
