"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "audit_events",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=400), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("assertion_id", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_events")),
        sa.UniqueConstraint("assertion_id", name=op.f("uq_audit_events_assertion_id")),
    )
    op.create_index(op.f("ix_audit_events_actor"), "audit_events", ["actor"], unique=False)
    op.create_index(op.f("ix_audit_events_at"), "audit_events", ["at"], unique=False)
    op.create_index(op.f("ix_audit_events_type"), "audit_events", ["type"], unique=False)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("anchor_seq", sa.BigInteger(), nullable=False),
        sa.Column("anchor_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "aws_accounts",
        sa.Column("number", sa.String(length=12), nullable=False),
        sa.Column("alias", sa.String(length=63), nullable=False),
        sa.Column("partition", sa.String(length=16), nullable=False),
        sa.Column("provider_name", sa.String(length=128), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=True),
        sa.Column("profile", sa.String(length=128), nullable=True),
        sa.Column("access_role", sa.String(length=2048), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_aws_accounts")),
        sa.UniqueConstraint("alias", name=op.f("uq_aws_accounts_alias")),
    )
    op.create_table(
        "local_users",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("username", sa.String(length=128), nullable=False),
        sa.Column("username_key", sa.String(length=256), nullable=False),
        sa.Column("display_name", sa.String(length=256), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("password_hash", sa.String(length=256), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_local_users")),
        sa.UniqueConstraint("username_key", name=op.f("uq_local_users_username_key")),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("directory", sa.String(length=64), nullable=False),
        sa.Column("directory_id", sa.String(length=256), nullable=False),
        sa.Column("username", sa.String(length=256), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint(
            "directory", "directory_id", name=op.f("uq_people_directory_directory_id")
        ),
    )
    op.create_table(
        "revisions",
        sa.Column("thing", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("thing", name=op.f("pk_revisions")),
    )
    op.create_table(
        "role_rules",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_role_rules")),
    )
    op.create_index(op.f("ix_role_rules_position"), "role_rules", ["position"], unique=False)
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failures")),
    )
    op.create_index(op.f("ix_sign_in_failures_at"), "sign_in_failures", ["at"], unique=False)
    op.create_index(
        "ix_sign_in_failures_key_hash_at", "sign_in_failures", ["key_hash", "at"], unique=False
    )
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("custody", sa.String(length=16), nullable=False),
        sa.Column("locator", sa.String(length=1024), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_signing_keys_fingerprint")),
    )
    op.create_index(
        "uq_signing_keys_one_active",
        "signing_keys",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "local_memberships",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("group_name", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["local_users.id"],
            name=op.f("fk_local_memberships_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "group_name", name=op.f("pk_local_memberships")),
    )
    op.create_index(
        op.f("ix_local_memberships_group_name"), "local_memberships", ["group_name"], unique=False
    )
    op.create_table(
        "name_ids",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("service_provider", sa.String(length=512), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_name_ids_person_id")),
        sa.PrimaryKeyConstraint("person_id", "service_provider", name=op.f("pk_name_ids")),
        sa.UniqueConstraint("value", name=op.f("uq_name_ids_value")),
    )
    op.create_table(
        "portal_roles",
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("role_arn", sa.String(length=2048), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_portal_roles_person_id")
        ),
        sa.PrimaryKeyConstraint("person_id", "role_arn", name=op.f("pk_portal_roles")),
    )
    op.create_table(
        "claimed_names",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name_key", sa.String(length=320), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_claimed_names_person_id")
        ),
        sa.PrimaryKeyConstraint("kind", "name_key", name=op.f("pk_claimed_names")),
    )
    op.create_index(
        op.f("ix_claimed_names_person_id"), "claimed_names", ["person_id"], unique=False
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("person", sa.JSON(), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factors", sa.JSON(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sessions_person_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False)
    op.create_index(op.f("ix_sessions_person_id"), "sessions", ["person_id"], unique=False)
    op.execute(
        sa.text(
            "INSERT INTO audit_head (id, seq, hash, anchor_seq, anchor_hash) "
            "VALUES (1, 0, :hash, 0, :hash)"
        ).bindparams(hash="0" * 64)
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_sessions_person_id"), table_name="sessions")
    op.drop_index(op.f("ix_sessions_expires_at"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index(op.f("ix_claimed_names_person_id"), table_name="claimed_names")
    op.drop_table("claimed_names")
    op.drop_table("portal_roles")
    op.drop_table("name_ids")
    op.drop_index(op.f("ix_local_memberships_group_name"), table_name="local_memberships")
    op.drop_table("local_memberships")
    op.drop_index(
        "uq_signing_keys_one_active",
        table_name="signing_keys",
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.drop_table("signing_keys")
    op.drop_index("ix_sign_in_failures_key_hash_at", table_name="sign_in_failures")
    op.drop_index(op.f("ix_sign_in_failures_at"), table_name="sign_in_failures")
    op.drop_table("sign_in_failures")
    op.drop_table("secrets")
    op.drop_index(op.f("ix_role_rules_position"), table_name="role_rules")
    op.drop_table("role_rules")
    op.drop_table("revisions")
    op.drop_table("people")
    op.drop_table("local_users")
    op.drop_table("aws_accounts")
    op.drop_table("audit_head")
    op.drop_index(op.f("ix_audit_events_type"), table_name="audit_events")
    op.drop_index(op.f("ix_audit_events_at"), table_name="audit_events")
    op.drop_index(op.f("ix_audit_events_actor"), table_name="audit_events")
    op.drop_table("audit_events")
