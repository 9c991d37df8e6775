"""Encrypted assertions: the public key of each account."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0005_account_encryption"
down_revision: str | None = "0004_metadata_fetches"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "account_encryption",
        sa.Column("number", sa.String(length=12), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("key_id", sa.String(length=64), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("work", sa.String(length=16), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_account_encryption")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("account_encryption")
