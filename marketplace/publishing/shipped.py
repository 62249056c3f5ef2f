"""The apps that come with the store, published through the same door as anyone's."""

from datetime import datetime
from pathlib import Path

import structlog
from caravan.bundle import build
from caravan.component import COMPONENT_FILE
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

    Returns: the idents that were submitted and are soon checked, by jobs. A component is
        submitted after all others and not among them: compiling it may take a minute.
    """
    house = Publisher(house_account(session, now=now).id, is_operator=True)
    submitted = []
    places = sorted(path.parent for path in folder.glob(f"*/{MANIFEST_FILE}"))
    for place in sorted(places, key=lambda each: (each / COMPONENT_FILE).exists()):
        try:
            manifest = read_manifest((place / MANIFEST_FILE).read_bytes())
            section = manifest.app
            if not _is_here(session, section.id, section.version):
                submit(session, house, build(place), blobs=blobs, now=now)
                if manifest.runtime.kind == "python":
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
