"""Runs migrations on the connection that `marketplace.infra.migrations` hands over."""

from alembic import context
from marketplace import app as _every_table  # noqa: F401  (importing the app registers its tables)
from marketplace.infra.migrations import TARGET, is_ours

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=TARGET,
    render_as_batch=True,
    compare_type=True,
    include_object=is_ours,
)
with context.begin_transaction():
    context.run_migrations()
