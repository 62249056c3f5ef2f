"""Screenshots of a release.

Revision ID: 20261124_screenshots
Revises: 20261124_preferences
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import json_column

revision: str = "20261124_screenshots"
down_revision: str | None = "20261124_preferences"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "catalog_release",
        sa.Column("screenshots", json_column(), nullable=False, server_default="[]"),
    )


def downgrade() -> None:
    op.drop_column("catalog_release", "screenshots")
