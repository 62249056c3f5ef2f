"""Review tables: what the checks found."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid
from sqlmodel import Field, SQLModel

from marketplace.infra.types import UtcDateTime
from marketplace.kernel.ids import ReleaseId, new_id


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
