"""A rotation's progress belongs to an account's SAML provider, not to the account's number."""

from __future__ import annotations

import functools
import operator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0006_rotation_providers"
down_revision: str | None = "0005_account_encryption"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "rotation_accounts"
_KEPT = (
    *("rotation_id", "number", "held_at", "proved_at", "withdrawn_at", "excluded_at"),
    *("problem_kind", "problem", "advice"),
)
_PROGRESS = sa.table(_TABLE, *map(sa.column, ("provider", *_KEPT)))
_ACCOUNTS = sa.table(
    "aws_accounts", sa.column("number"), sa.column("partition"), sa.column("provider_name")
)
_PARTS = ("arn:", _ACCOUNTS.c.partition, ":iam::", _ACCOUNTS.c.number, ":saml-provider/")


def _provider() -> sa.ColumnElement[str]:
    """The ARN of a registered account's provider."""
    return functools.reduce(
        operator.add, [sa.cast(part, sa.Text) for part in (*_PARTS, _ACCOUNTS.c.provider_name)]
    )


def _make(*, by_provider: bool) -> None:
    new = (
        sa.Column("provider", sa.String(length=256), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_table(
        _TABLE,
        sa.Column("rotation_id", sa.String(length=32), nullable=False),
        *(new if by_provider else ()),
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
        sa.PrimaryKeyConstraint(
            "rotation_id",
            "provider" if by_provider else "number",
            name=op.f("pk_rotation_accounts"),
        ),
    )


def _remake(query: sa.Select[Any], *, by_provider: bool) -> None:
    """Make the table anew with the rows that `query` finds in the one before."""
    connection = op.get_bind()
    rows = [dict(row) for row in connection.execute(query).mappings()]
    op.drop_table(_TABLE)
    _make(by_provider=by_provider)
    if rows:
        connection.execute(sa.insert(_PROGRESS), rows)


def _kept() -> sa.Select[Any]:
    """Progress in the accounts that are registered."""
    registered = _ACCOUNTS.c.number == _PROGRESS.c.number
    return sa.select(*(_PROGRESS.c[name] for name in _KEPT)).join_from(
        _PROGRESS, _ACCOUNTS, registered
    )


def upgrade() -> None:
    """Apply. Rows of accounts that are registered no longer were never read, and go."""
    _remake(_kept().add_columns(_provider().label("provider")), by_provider=True)


def downgrade() -> None:
    """Undo, with what is known of the providers that are registered now."""
    _remake(_kept().where(_PROGRESS.c.provider == _provider()), by_provider=False)
