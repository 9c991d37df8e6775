"""Every table, typed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on every database; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC; SQLite keeps no zone, so it gets the bare UTC time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone can't be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back an aware UTC time."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CanonicalTime(TypeDecorator[datetime]):
    """An aware UTC datetime kept as text such as 2026-11-23T12:00:00.000000Z.

    It sorts by time, reads the same in every database, and is hashed as it stands.
    """

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """The text of an aware time."""
        return None if value is None else canonical_time(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """The time that a text says."""
        return None if value is None else datetime.fromisoformat(value)


def canonical_time(value: datetime) -> str:
    """UTC in ISO 8601 with microseconds and Z, always 27 characters. The time must be aware."""
    if value.tzinfo is None:
        raise ValueError("a time without a zone can't be stored")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Base(DeclarativeBase):
    """All tables, with constraint names that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    }


class LocalUserRow(Base):
    """A person of the local directory. `username_key` is the case-folded name, unique."""

    __tablename__ = "local_users"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    username: Mapped[str] = mapped_column(String(128))
    username_key: Mapped[str] = mapped_column(String(256), unique=True)
    display_name: Mapped[str] = mapped_column(String(256))
    email: Mapped[str | None] = mapped_column(String(320))
    password_hash: Mapped[str | None] = mapped_column(String(256))
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    groups: Mapped[list[LocalMembershipRow]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, lazy="selectin"
    )


class LocalMembershipRow(Base):
    """One local user's membership of one group."""

    __tablename__ = "local_memberships"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("local_users.id", ondelete="CASCADE"), primary_key=True
    )
    group_name: Mapped[str] = mapped_column(String(256), primary_key=True, index=True)


class PersonRow(Base):
    """Someone of any directory who has signed in: the anchor of names that must stay theirs."""

    __tablename__ = "people"
    __table_args__ = (UniqueConstraint("directory", "directory_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    directory: Mapped[str] = mapped_column(String(64))
    directory_id: Mapped[str] = mapped_column(String(256))
    username: Mapped[str] = mapped_column(String(256))
    first_seen_at: Mapped[datetime]


class NameIdRow(Base):
    """The persistent NameID of a person at one service provider (SAML core 8.3.7)."""

    __tablename__ = "name_ids"

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    service_provider: Mapped[str] = mapped_column(String(512), primary_key=True)
    value: Mapped[str] = mapped_column(String(64), unique=True)


class ClaimedNameRow(Base):
    """A name AWS knows people by (case-folded) and the one person it is for, until released.

    The kinds are "role_session_name", "source_identity" and "name_id".
    """

    __tablename__ = "claimed_names"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    name_key: Mapped[str] = mapped_column(String(320), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    claimed_at: Mapped[datetime]


class SessionRow(Base):
    """A signed-in browser. The cookie holds a random token; only its SHA-256 is stored."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    person: Mapped[dict[str, Any]]
    refreshed_at: Mapped[datetime]
    authenticated_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    factors: Mapped[list[Any]] = mapped_column(default=list)
    address: Mapped[str] = mapped_column(String(64))


class SignInFailureRow(Base):
    """Wrong passwords by key (a hash of person, network or browser) within the sliding window."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (Index("ix_sign_in_failures_key_hash_at", "key_hash", "at"),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    key_hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(index=True)


class AwsAccountRow(Base):
    """An AWS account that roles may lie in; accounts not listed here are never granted."""

    __tablename__ = "aws_accounts"

    number: Mapped[str] = mapped_column(String(12), primary_key=True)
    alias: Mapped[str] = mapped_column(String(63), unique=True)
    partition: Mapped[str] = mapped_column(String(16))
    provider_name: Mapped[str] = mapped_column(String(128))
    provider_id: Mapped[str | None] = mapped_column(String(64))
    profile: Mapped[str | None] = mapped_column(String(128))
    access_role: Mapped[str | None] = mapped_column(String(2048))
    probe_role: Mapped[str | None] = mapped_column(String(2048))


class AccountEncryptionRow(Base):
    """What assertions for an AWS account are encrypted to, and the change that is under way.

    `public_key` (PEM) and `fingerprint` are None while they are sent in plain; `key_id` is IAM's
    name of the private half, which is kept nowhere but there. `work` is "enable", "rotate",
    "disable" or empty, and `progress` is what it takes to finish or undo that after a crash.
    """

    __tablename__ = "account_encryption"

    number: Mapped[str] = mapped_column(String(12), primary_key=True)
    public_key: Mapped[str | None] = mapped_column(Text)
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    key_id: Mapped[str | None] = mapped_column(String(64))
    since: Mapped[datetime | None]
    work: Mapped[str] = mapped_column(String(16))
    progress: Mapped[dict[str, Any]]


class RoleRuleRow(Base):
    """One role rule, as the rules file says it."""

    __tablename__ = "role_rules"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    position: Mapped[int] = mapped_column(index=True)
    document: Mapped[dict[str, Any]]


class RevisionRow(Base):
    """Counts changes of a thing that processes keep a compiled copy of ("entitlements", "keys")."""

    __tablename__ = "revisions"

    thing: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)


class PortalRoleRow(Base):
    """A person's pinned and recently used roles in the portal."""

    __tablename__ = "portal_roles"

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    role_arn: Mapped[str] = mapped_column(String(2048), primary_key=True)
    pinned: Mapped[bool] = mapped_column(default=False)
    used_at: Mapped[datetime | None]


class SigningKeyRow(Base):
    """A signing key, its certificate and where its private half lies."""

    __tablename__ = "signing_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    custody: Mapped[str] = mapped_column(String(16))
    locator: Mapped[str] = mapped_column(String(1024))
    certificate: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str | None] = mapped_column(String(400))
    activated_at: Mapped[datetime | None]
    retiring_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None] = mapped_column(Text)


class SigningKeyStepRow(Base):
    """Something that was done with a signing key: who, when, and a note such as a reason."""

    __tablename__ = "signing_key_steps"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    key_id: Mapped[str] = mapped_column(
        ForeignKey("signing_keys.id", ondelete="CASCADE"), index=True
    )
    step: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(400))
    note: Mapped[str] = mapped_column(Text)


Index(
    "uq_signing_keys_one_active",
    SigningKeyRow.state,
    unique=True,
    sqlite_where=SigningKeyRow.state == "active",
    postgresql_where=SigningKeyRow.state == "active",
)


class MetadataFetchRow(Base):
    """Who read our metadata last, and with which certificates (fingerprints) in it.

    `fetcher` is a service provider's name, or else an IP address, which `named` tells apart.
    """

    __tablename__ = "metadata_fetches"

    fetcher: Mapped[str] = mapped_column(String(64), primary_key=True)
    named: Mapped[bool] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(64))
    user_agent: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(index=True)
    certificates: Mapped[list[Any]]


class RotationRow(Base):
    """One rotation of the signing key, from `old_key_id` to `next_key_id`.

    `open` is 1 until the rotation has ended and NULL then, so the database lets one be open. The
    process that works on it holds a lease, which ends by itself if the process does.
    """

    __tablename__ = "rotations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    open: Mapped[int | None] = mapped_column(unique=True)
    phase: Mapped[str] = mapped_column(String(16))
    old_key_id: Mapped[str] = mapped_column(ForeignKey("signing_keys.id"))
    next_key_id: Mapped[str] = mapped_column(ForeignKey("signing_keys.id"))
    overlap_seconds: Mapped[int]
    started_at: Mapped[datetime]
    started_by: Mapped[str] = mapped_column(String(400))
    activated_at: Mapped[datetime | None]
    overlap_until: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    lease_holder: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None]


class RotationAccountRow(Base):
    """How far a rotation is in one account's SAML provider, which is named by its ARN.

    `problem` is why the last try failed, or empty. `given_at` is when it was last seen to hold the
    next certificate before it was taken off the list of accounts: all else that was known of it
    then is forgotten.
    """

    __tablename__ = "rotation_accounts"

    rotation_id: Mapped[str] = mapped_column(
        ForeignKey("rotations.id", ondelete="CASCADE"), primary_key=True
    )
    provider: Mapped[str] = mapped_column(String(256), primary_key=True)
    number: Mapped[str] = mapped_column(String(12))
    given_at: Mapped[datetime | None]
    held_at: Mapped[datetime | None]
    proved_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    excluded_at: Mapped[datetime | None]
    problem_kind: Mapped[str] = mapped_column(String(32))
    problem: Mapped[str] = mapped_column(Text)
    advice: Mapped[str] = mapped_column(Text)


class AuditEventRow(Base):
    """One line of the audit chain; `hash` covers all other columns and the previous line's hash."""

    __tablename__ = "audit_events"

    seq: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime] = mapped_column(CanonicalTime(), index=True)
    type: Mapped[str] = mapped_column(String(64), index=True)
    actor: Mapped[str] = mapped_column(String(400), index=True)
    address: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64))
    assertion_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    detail: Mapped[str] = mapped_column(Text)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHeadRow(Base):
    """Where the chain ends: the row that writers take turns on.

    The anchor is the last row that retention removed; before that, row 0 and a hash of zeros.
    """

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
    anchor_seq: Mapped[int] = mapped_column(BigInteger)
    anchor_hash: Mapped[str] = mapped_column(String(64))


class SecretRow(Base):
    """A random secret that all nodes share, such as the key that signs form cookies."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(String(128))
