"""Alembic's entry: run the migrations on the connection that idp.db.schema hands over."""

from alembic import context

from idp.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
