"""The vocabulary for what administrators do. Each event names its subject and the changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from idp.audit.events import AdminEvent, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesApplied(AdminEvent):
    """Role rules were replaced; the changes name them and count the people concerned."""

    type: ClassVar[str] = "roles.applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAdded(AdminEvent):
    """An AWS account, named by its number, may be signed in to from now on."""

    type: ClassVar[str] = "account.added"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanged(AdminEvent):
    """An AWS account's alias, provider or access changed."""

    type: ClassVar[str] = "account.changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRemoved(AdminEvent):
    """An AWS account is not known any more; nothing is granted there."""

    type: ClassVar[str] = "account.removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRegistered(AdminEvent):
    """An AWS account's SAML provider was made or changed; the changes name the certificates."""

    type: ClassVar[str] = "aws.registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunMade(AdminEvent):
    """A response for a person was made, judged and thrown away; the changes say for which role."""

    type: ClassVar[str] = "preflight.dry_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseBackedUp(AdminEvent):
    """The whole database is being copied into a file, the subject."""

    type: ClassVar[str] = "database.backed_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseRestored(AdminEvent):
    """A backup, the subject, took the database's place; the changes say where its trail ended."""

    type: ClassVar[str] = "database.restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAdded(AdminEvent):
    """A person was added to the local directory."""

    type: ClassVar[str] = "user.added"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroupsSet(AdminEvent):
    """A local person's groups were replaced; the changes hold `before` and `after`."""

    type: ClassVar[str] = "user.groups_set"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDisabled(AdminEvent):
    """A local person can't sign in any more."""

    type: ClassVar[str] = "user.disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEnabled(AdminEvent):
    """A local person can sign in again."""

    type: ClassVar[str] = "user.enabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPasswordSet(AdminEvent):
    """An administrator gave a local person a password."""

    type: ClassVar[str] = "user.password_set"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersImported(AdminEvent):
    """People came from a file, the subject; the changes count those added and updated."""

    type: ClassVar[str] = "user.imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameReleased(AdminEvent):
    """A name that AWS knew a person by is free again; the changes hold its kind and holder."""

    type: ClassVar[str] = "name.released"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGenerated(AdminEvent):
    """A signing key was made; the changes hold its state and fingerprint."""

    type: ClassVar[str] = "key.generated"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyImported(AdminEvent):
    """A signing key that was made elsewhere was taken in; the changes as of KeyGenerated."""

    type: ClassVar[str] = "key.imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyActivated(AdminEvent):
    """A signing key signs from now on; the changes name the key that `retiring` is from now on."""

    type: ClassVar[str] = "key.activated"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRetired(AdminEvent):
    """A signing key is not published any more; the changes hold the state before."""

    type: ClassVar[str] = "key.retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevoked(AdminEvent):
    """A signing key must not be trusted any more; the changes hold the reason, and a successor."""

    type: ClassVar[str] = "key.revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExported(AdminEvent):
    """The private half of a signing key was taken out; the changes hold the reason."""

    type: ClassVar[str] = "key.exported"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEncrypted(AdminEvent):
    """A key file was encrypted anew; the changes hold with what, before and after."""

    type: ClassVar[str] = "key.encrypted"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCheckpointed(Event):
    """A statement about the chain up to row `row` was signed with key `key` (a fingerprint)."""

    type: ClassVar[str] = "audit.checkpointed"
    row: int
    hash: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPruned(Event):
    """Retention removed the rows up to `row`, whose hash was `hash`, and `before` is the limit.

    Verification holds the anchor of the chain against the last of these events.
    """

    type: ClassVar[str] = "audit.pruned"
    row: int
    hash: str
    before: str
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsEnded(AdminEvent):
    """Sessions of `subject` ("everybody") were ended; the changes count them."""

    type: ClassVar[str] = "sessions.ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKeyAdded(AdminEvent):
    """IAM was given a private key to decrypt an account's assertions; `key_id` is its name of it.

    The `key` in this and the next events is the fingerprint of the public half.
    """

    type: ClassVar[str] = "encryption.key_added"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKeyRemoved(AdminEvent):
    """A private key was taken away from IAM: what is encrypted to it can't be read any more."""

    type: ClassVar[str] = "encryption.key_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicyChanged(AdminEvent):
    """Addresses were put into, or taken back out of, the SAML:aud of a role's trust policy."""

    type: ClassVar[str] = "trust_policy.changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionEnabled(AdminEvent):
    """From now on an account's assertions are encrypted, and sent to the provider's own address."""

    type: ClassVar[str] = "encryption.enabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionRequired(AdminEvent):
    """IAM refuses assertions for the account that are not encrypted."""

    type: ClassVar[str] = "encryption.required"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionRotated(AdminEvent):
    """From now on an account's assertions are encrypted to another key."""

    type: ClassVar[str] = "encryption.rotated"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionDisabled(AdminEvent):
    """From now on an account's assertions are sent in plain."""

    type: ClassVar[str] = "encryption.disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionRolledBack(AdminEvent):
    """Enabling failed; the account is as it was before, and `reason` says in a word why."""

    type: ClassVar[str] = "encryption.rolled_back"
