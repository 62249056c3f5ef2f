"""Review tables: what the checks found, and what people report."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Uuid
from sqlmodel import Field, SQLModel

from marketplace.infra.personal import Tie, tie
from marketplace.infra.types import UtcDateTime
from marketplace.kernel.ids import AccountId, AppId, ReleaseId, new_id


class CheckResult(SQLModel, table=True):
    """One result of one rule for one release; passes are kept too."""

    __tablename__ = "review_check_result"

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    release_id: ReleaseId = Field(sa_type=Uuid, foreign_key="catalog_release.id", index=True)
    position: int
    rule: str = Field(max_length=80)
    level: str = Field(max_length=10)
    message: str
    file: str | None = Field(default=None, max_length=200)
    line: int | None = None
    fix: str | None = None
    found_at: datetime = Field(sa_type=UtcDateTime)


class AppReport(SQLModel, table=True):
    """That one person says something is wrong with an app; it is open until `decided_at`."""

    __tablename__ = "review_app_report"
    __table_args__ = (Index("ix_review_app_report_open", "decided_at", "created_at"),)

    app_id: AppId = Field(primary_key=True, sa_type=Uuid, foreign_key="catalog_app.id")
    reporter_id: AccountId = Field(
        primary_key=True,
        sa_type=Uuid,
        foreign_key="accounts_account.id",
        sa_column_kwargs=tie(Tie.OWN),
    )
    kind: str = Field(max_length=20)
    words: str = Field(default="", max_length=2000)
    created_at: datetime = Field(sa_type=UtcDateTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_by: AccountId | None = Field(
        default=None, sa_type=Uuid, sa_column_kwargs=tie(Tie.ACTED)
    )
