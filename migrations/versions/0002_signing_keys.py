"""When each signing key came to its state, and who did what with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0002_signing_keys"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("signing_keys", sa.Column("created_by", sa.String(length=400), nullable=True))
    for moment in ("retiring_at", "retired_at", "revoked_at"):
        op.add_column("signing_keys", sa.Column(moment, sa.DateTime(timezone=True), nullable=True))
    op.add_column("signing_keys", sa.Column("revoked_reason", sa.Text(), nullable=True))
    op.create_table(
        "signing_key_steps",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=400), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["signing_keys.id"],
            name=op.f("fk_signing_key_steps_key_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_key_steps")),
    )
    op.create_index(
        op.f("ix_signing_key_steps_key_id"), "signing_key_steps", ["key_id"], unique=False
    )
    # What is known of the keys that are there already: when, and not who.
    for step, moment in (("generated", "created_at"), ("activated", "activated_at")):
        op.execute(
            "INSERT INTO signing_key_steps (key_id, step, at, actor, note) "  # noqa: S608
            f"SELECT id, '{step}', {moment}, '', '' FROM signing_keys WHERE {moment} IS NOT NULL"
        )


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_signing_key_steps_key_id"), table_name="signing_key_steps")
    op.drop_table("signing_key_steps")
    for column in ("revoked_reason", "revoked_at", "retired_at", "retiring_at", "created_by"):
        op.drop_column("signing_keys", column)
