"""The table of what apps mean, for search."""

from datetime import datetime

from sqlalchemy import Uuid
from sqlmodel import Field, SQLModel

from marketplace.infra.types import UtcDateTime
from marketplace.kernel.ids import AppId


class Meaning(SQLModel, table=True):
    """One vector: what an app's text in one language means to one model.

    `vector` has length 1, as little-endian numbers of single precision. A row goes when its text
    changes.
    """

    __tablename__ = "catalog_meaning"

    app_id: AppId = Field(primary_key=True, sa_type=Uuid, foreign_key="catalog_app.id")
    model: str = Field(primary_key=True, max_length=200)
    locale: str = Field(primary_key=True, max_length=16)
    vector: bytes
    made_at: datetime = Field(sa_type=UtcDateTime, index=True)
