"""The apps that come with the store, published through the same door as anyone's."""

from datetime import datetime
from pathlib import Path

from caravan.bundle import build
from caravan.findings import BundleRefused
from caravan.reading import MANIFEST_FILE, read_manifest
from sqlmodel import Session, select

from marketplace.accounts.service import HOUSE_ID, house_account
from marketplace.catalog.models import App, Release
from marketplace.infra.blobs import Blobs
from marketplace.publishing import bundles
from marketplace.publishing.service import Publisher, submit


def submit_all(session: Session, folder: Path, blobs: Blobs, *, now: datetime) -> list[str]:
    """Submit every app below `folder` whose version is new here.

    Returns: the idents that were submitted; their checks run as jobs.
    Raises: BadBundle where a folder is no app.
    """
    house = Publisher(house_account(session, now=now).id, is_operator=True)
    submitted = []
    for place in sorted(path.parent for path in folder.glob(f"*/{MANIFEST_FILE}")):
        try:
            section = read_manifest((place / MANIFEST_FILE).read_bytes()).app
            if not _is_here(session, section.id, section.version):
                submit(session, house, build(place), blobs=blobs, now=now)
                submitted.append(section.id)
        except BundleRefused as refused:
            raise bundles.refusal(refused) from None
    return submitted


def _is_here(session: Session, ident: str, version: str) -> bool:
    found = session.exec(
        select(Release.id)
        .join(App, App.id == Release.app_id)  # type: ignore[arg-type]  # a column at run time
        .where(App.ident == ident, App.owner_id == HOUSE_ID, Release.version == version)
    ).first()
    return found is not None
