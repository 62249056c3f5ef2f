"""The apps that come with the store, published through the same door as anyone's."""

from datetime import datetime
from pathlib import Path

import structlog
from caravan.bundle import build
from caravan.findings import BundleRefused
from caravan.reading import MANIFEST_FILE, read_manifest
from sqlmodel import Session, col, select

from marketplace.accounts.service import house_account
from marketplace.catalog.models import App, Release, ReleaseState
from marketplace.infra.blobs import Blobs
from marketplace.kernel.errors import CaravanError
from marketplace.publishing.service import Publisher, submit

log = structlog.get_logger()


def submit_all(session: Session, folder: Path, blobs: Blobs, *, now: datetime) -> list[str]:
    """Submit every app below `folder` whose version is new here.

    One that cannot be submitted is logged and left out: the store opens without it.

    Returns: the idents that were submitted; their checks run as jobs.
    """
    house = Publisher(house_account(session, now=now).id, is_operator=True)
    submitted = []
    for place in sorted(path.parent for path in folder.glob(f"*/{MANIFEST_FILE}")):
        try:
            section = read_manifest((place / MANIFEST_FILE).read_bytes()).app
            if not _is_here(session, section.id, section.version):
                submit(session, house, build(place), blobs=blobs, now=now)
                submitted.append(section.id)
        except (BundleRefused, CaravanError) as error:
            log.warning("shipped.refused", app=place.name, rule=error.rule, reason=error.message)
    return submitted


def are_checked(session: Session, idents: list[str]) -> bool:
    """Whether none of these apps has a release that still waits for its checks."""
    waiting = session.exec(
        select(Release.id)
        .join(App, col(App.id) == col(Release.app_id))
        .where(col(App.ident).in_(idents), Release.state == ReleaseState.CHECKING)
    ).first()
    return waiting is None


def _is_here(session: Session, ident: str, version: str) -> bool:
    found = session.exec(
        select(Release.id)
        .join(App, col(App.id) == col(Release.app_id))
        .where(App.ident == ident, Release.version == version)
    ).first()
    return found is not None
