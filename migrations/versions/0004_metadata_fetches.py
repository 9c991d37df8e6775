"""Who read our metadata, and with which certificates in it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0004_metadata_fetches"
down_revision: str | None = "0003_rotations"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "metadata_fetches",
        sa.Column("fetcher", sa.String(length=64), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("certificates", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("fetcher", "named", name=op.f("pk_metadata_fetches")),
    )
    op.create_index(op.f("ix_metadata_fetches_at"), "metadata_fetches", ["at"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_metadata_fetches_at"), table_name="metadata_fetches")
    op.drop_table("metadata_fetches")
