"""What lists are ordered by, who used what when, and the search index in its new shape.

Revision ID: 20261124_standing
Revises: 20261123_first
"""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op
from marketplace.catalog import search

revision: str = "20261124_standing"
down_revision: str | None = "20261123_first"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

NUMBERS = ("people_count", "rating_count", "rating_total")
SCORES = {"rating_score": "3", "trend": "0", "score": "1"}
INDEXES = {
    "ix_catalog_app_shelf": ["state", "category", "score"],
    "ix_catalog_app_score": ["state", "score"],
    "ix_catalog_app_trend": ["state", "trend"],
    "ix_catalog_app_rated": ["state", "rating_score"],
    "ix_catalog_app_new": ["state", "published_at"],
    "ix_catalog_app_ratings": ["state", "rating_count", "rating_total"],
}
# What earlier runs and products say of the apps that are there already.
FILL = (
    (
        "INSERT INTO catalog_use (app_id, person_id, day, times)"
        " SELECT run.app_id, run.person_id, {day}, count(*) FROM runs_run AS run"
        " JOIN catalog_app AS app ON app.id = run.app_id AND app.owner_id <> run.person_id"
        " WHERE run.state = 'finished' GROUP BY run.app_id, run.person_id, {day}"
    ),
    (
        "UPDATE catalog_app SET people_count = (SELECT count(DISTINCT person_id)"
        " FROM catalog_use WHERE catalog_use.app_id = catalog_app.id)"
    ),
    (
        "UPDATE catalog_app SET"
        " price_micros = (SELECT p.price_micros FROM catalog_product AS p {cheapest}),"
        " currency = (SELECT p.currency FROM catalog_product AS p {cheapest})"
    ),
)
CHEAPEST = (
    "WHERE p.app_id = catalog_app.id AND p.unlocks = 'app' AND p.active"
    " ORDER BY p.price_micros LIMIT 1"
)


def upgrade() -> None:
    op.create_table(
        "catalog_use",
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"], ["catalog_app.id"], name=op.f("fk_catalog_use_app_id_catalog_app")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_account.id"],
            name=op.f("fk_catalog_use_person_id_accounts_account"),
        ),
        sa.PrimaryKeyConstraint("app_id", "person_id", "day", name=op.f("pk_catalog_use")),
    )
    op.create_index("ix_catalog_use_day", "catalog_use", ["day", "app_id", "person_id"])
    op.create_index("ix_catalog_use_person", "catalog_use", ["person_id", "day"])
    op.drop_index("ix_catalog_app_listed", table_name="catalog_app")
    with op.batch_alter_table("catalog_app") as table:
        for name in NUMBERS:
            table.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
        for name, default in SCORES.items():
            table.add_column(sa.Column(name, sa.Float(), nullable=False, server_default=default))
        table.add_column(sa.Column("search_row", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("price_micros", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("currency", sa.String(3), nullable=True))
        table.create_unique_constraint(op.f("uq_catalog_app_search_row"), ["search_row"])
    for name, columns in INDEXES.items():
        op.create_index(name, "catalog_app", columns)
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    day = "date(run.created_at)" if is_sqlite else "CAST(run.created_at AT TIME ZONE 'UTC' AS date)"
    for statement in FILL:
        op.execute(statement.format(day=day, cheapest=CHEAPEST))
    # The first revision makes the index in the shape that the code has today.
    op.execute("DROP TABLE IF EXISTS catalog_search_trigram")
    search.drop(op.get_bind())
    search.create(op.get_bind())


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, table_name="catalog_app")
    with op.batch_alter_table("catalog_app") as table:
        table.drop_constraint(op.f("uq_catalog_app_search_row"), type_="unique")
        for name in (*NUMBERS, *SCORES, "search_row", "price_micros", "currency"):
            table.drop_column(name)
    op.create_index("ix_catalog_app_listed", "catalog_app", ["state", "category", "run_count"])
    op.drop_table("catalog_use")
