"""The vocabulary for rotating the signing key. The subject is the rotation, or an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from idp.audit.events import AdminEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationStarted(AdminEvent):
    """A rotation began; the changes name both keys, the overlap and the accounts."""

    type: ClassVar[str] = "rotation.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationAccountExcluded(AdminEvent):
    """A rotation goes on without an account, where nobody can sign in until it is registered."""

    type: ClassVar[str] = "rotation.account_excluded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationAccountHolds(AdminEvent):
    """An account's SAML provider was read and holds the certificates of the moment."""

    type: ClassVar[str] = "rotation.account_holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationAccountProved(AdminEvent):
    """AWS opened a session of the account's probe role for an assertion of the next key."""

    type: ClassVar[str] = "rotation.account_proved"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationAccountFailed(AdminEvent):
    """A step could not be made in an account; the changes say which, and why."""

    type: ClassVar[str] = "rotation.account_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationAccountWithdrawn(AdminEvent):
    """An account's SAML provider was read and does not hold a key's certificate any more."""

    type: ClassVar[str] = "rotation.account_withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationTurned(AdminEvent):
    """A rotation came to another phase; the changes hold it, and why."""

    type: ClassVar[str] = "rotation.turned"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationEnded(AdminEvent):
    """A rotation is over: "done", or "aborted"."""

    type: ClassVar[str] = "rotation.ended"
