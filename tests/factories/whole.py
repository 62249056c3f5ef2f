"""The whole store in this process, without engine, runners or worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from sqlmodel import SQLModel

from marketplace.app import create_app
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.settings import Settings
from marketplace.web.settings import WebSettings


@dataclass
class Whole:
    """A store of every room, and where its data lies."""

    app: Flask
    folder: Path

    @property
    def database(self) -> Database:
        """The store's own."""
        found: Database = self.app.extensions["database"]
        return found

    @property
    def blobs(self) -> Blobs:
        """Where its bundles and pictures lie."""
        return Blobs(self.folder / "blobs")


@contextmanager
def whole_store(folder: Path) -> Iterator[Whole]:
    """A store with empty tables; compiling its templates takes longer than most tests."""
    settings = Settings(data_dir=folder, web=WebSettings(page_cache_s=0))
    # The executor looks for lost runs from its first moment.
    database = Database(settings.database_address())
    SQLModel.metadata.create_all(database.engine)
    database.close()
    store = Whole(create_app(settings), folder)
    yield store
    store.app.extensions["executor"].close()
    store.database.close()
