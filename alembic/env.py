"""Runs migrations on the connection that `marketplace.infra.migrations` hands over."""

from importlib import import_module
from pathlib import Path

from alembic import context
from marketplace.infra.migrations import ROOT, TARGET, is_ours

# Importing a room's models puts its tables into the metadata.
import_module("marketplace.infra.jobs")
for models in sorted((Path(ROOT) / "marketplace").glob("*/models.py")):
    import_module(f"marketplace.{models.parent.name}.models")

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
