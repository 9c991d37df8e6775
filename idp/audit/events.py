"""The vocabulary of the audit trail: one class per kind of event, thing first, then what happened.

Events hold who, what and with which key; never a password, a token or an assertion's body.
What administrators do is in idp.audit.admin_events.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from idp.directory.person import Person


def actor(person: Person) -> str:
    """How the trail names a person: "directory/username"."""
    return f"{person.directory}/{person.username}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `actor` is "directory/username", or "cli/system-user" for admins."""

    type: ClassVar[str]
    actor: str

    @property
    def kind(self) -> str:
        """The type as the row says it."""
        return self.type

    def detail(self) -> dict[str, Any]:
        """What the event says besides its actor, as JSON values."""
        values = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {
            name: value
            for name, value in values
            if name != "actor" and value not in (None, "", [], ())
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInSucceeded(Event):
    """A person proved who they are; `factor` is how, if not with a password."""

    type: ClassVar[str] = "sign_in.succeeded"
    directory_id: str
    person_id: str
    factor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRefused(Event):
    """An attempt failed; `reason` is for security teams, the page did not show it."""

    type: ClassVar[str] = "sign_in.refused"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """A session ended: "signed_out", "replaced" (by a new sign-in), "directory" or "admin"."""

    type: ClassVar[str] = "session.ended"
    session: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionIssued(Event):
    """An assertion was signed; the chain is the ledger to hold CloudTrail against.

    `key` is the fingerprint of the key that signed it, `encrypted_to` that of the public key that
    it was encrypted to, None if it was not.
    """

    type: ClassVar[str] = "assertion.issued"
    session: str
    assertion_id: str
    response_id: str
    service_provider: str
    recipient: str
    roles: tuple[str, ...]
    session_name: str
    source_identity: str | None
    name_id: str
    duration: int
    tags: tuple[str, ...]
    key: str
    encrypted_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionRefused(Event):
    """An assertion was asked for and not made."""

    type: ClassVar[str] = "assertion.refused"
    session: str
    role: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminEvent(Event):
    """An administrator changed `subject`; `changes` says what of it, in JSON values."""

    subject: str
    changes: dict[str, Any]
