"""What is known of an account's encryption: what holds now, and what a change has done so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from idp.aws.arn import ProviderArn
from idp.saml.encryption import EncryptionKey

ANOTHER_RUN = "another_run"


class Work(StrEnum):
    """A change that has been begun and not ended."""

    NONE = ""
    ENABLE = "enable"
    ROTATE = "rotate"
    DISABLE = "disable"


class Act(StrEnum):
    """What is done on the way, as the audit trail is to have it."""

    KEY_ADDED = "key_added"
    KEY_REMOVED = "key_removed"
    TRUST_CHANGED = "trust_changed"
    ENABLED = "enabled"
    REQUIRED = "required"
    ROTATED = "rotated"
    DISABLED = "disabled"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class ChangedTrust:
    """A role's trust policy as it was and as we wrote it."""

    role: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EncryptionState:
    """One account's encryption.

    `key` is what sign-ins are encrypted to now (None: they are in plain), `key_id` IAM's name of
    its private half, and `provider_id` the identifier that sign-in URLs carry. The rest is of the
    change under way: `pending` was made and no sign-in uses it yet, `ids_before` are the keys
    that the provider held before, `retiring` those to be removed from it, `mode_before` and
    `provider_id_before` what a roll-back brings back, `trust` what was done to trust policies.
    """

    provider_id: str | None
    key: EncryptionKey | None = None
    key_id: str = ""
    work: Work = Work.NONE
    pending: EncryptionKey | None = None
    pending_id: str = ""
    ids_before: tuple[str, ...] = ()
    retiring: tuple[str, ...] = ()
    mode_before: str = ""
    provider_id_before: str | None = None
    trust: tuple[ChangedTrust, ...] = field(default=())

    @property
    def begun(self) -> bool:
        """Whether there is any encryption, or a change of it under way."""
        return self.key is not None or self.work is not Work.NONE


class Record(Protocol):
    """Our side of a change in one account. What it has kept survives the end of the process."""

    @property
    def provider(self) -> ProviderArn:
        """The SAML provider in question."""
        ...

    def read(self) -> EncryptionState:
        """What was kept last."""
        ...

    def keep(
        self, state: EncryptionState, act: Act | None = None, **changes: str | list[str]
    ) -> None:
        """Keep `state`, and put `act` with `changes` into the audit trail, both or neither.

        Sign-ins go by it from the moment in which this returns. Raises AccountRefusal, kind
        ANOTHER_RUN, if somebody else has kept something since this was read.
        """
        ...

    def prove(self, key: EncryptionKey, provider_id: str) -> bool:
        """Assume the account's probe role with an assertion encrypted to `key`.

        False when there is no probe role. Raises AccountRefusal if AWS refuses.
        """
        ...
