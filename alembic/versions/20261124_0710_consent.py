"""What people have allowed apps.

Revision ID: 20261124_consent
Revises: 20261124_ratings
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.infra.types import UtcDateTime, json_column

revision: str = "20261124_consent"
down_revision: str | None = "20261124_ratings"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "runs_consent",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("items", json_column(), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"], ["catalog_app.id"], name=op.f("fk_runs_consent_app_id_catalog_app")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_account.id"],
            name=op.f("fk_runs_consent_person_id_accounts_account"),
        ),
        sa.PrimaryKeyConstraint("person_id", "app_id", name=op.f("pk_runs_consent")),
    )


def downgrade() -> None:
    op.drop_table("runs_consent")
