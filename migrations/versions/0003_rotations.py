"""Rotations of the signing key, how far they are in each account, and a role to prove it with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003_rotations"
down_revision: str | None = "0002_signing_keys"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("aws_accounts", sa.Column("probe_role", sa.String(length=2048), nullable=True))
    op.create_table(
        "rotations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("open", sa.Integer(), nullable=True),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("old_key_id", sa.String(length=32), nullable=False),
        sa.Column("next_key_id", sa.String(length=32), nullable=False),
        sa.Column("overlap_seconds", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_by", sa.String(length=400), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overlap_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_holder", sa.String(length=200), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["next_key_id"], ["signing_keys.id"], name=op.f("fk_rotations_next_key_id")
        ),
        sa.ForeignKeyConstraint(
            ["old_key_id"], ["signing_keys.id"], name=op.f("fk_rotations_old_key_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotations")),
        sa.UniqueConstraint("open", name=op.f("uq_rotations_open")),
    )
    op.create_table(
        "rotation_accounts",
        sa.Column("rotation_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.String(length=12), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("excluded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem_kind", sa.String(length=32), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rotation_id"],
            ["rotations.id"],
            name=op.f("fk_rotation_accounts_rotation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("rotation_id", "number", name=op.f("pk_rotation_accounts")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("rotation_accounts")
    op.drop_table("rotations")
    op.drop_column("aws_accounts", "probe_role")
