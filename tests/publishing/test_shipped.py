"""The apps that come with the store go through the same door, once for each version."""

from pathlib import Path

import pytest
from sqlmodel import Session, col, select
from structlog.testing import capture_logs

from marketplace.accounts.service import HOUSE_ID
from marketplace.catalog.models import App, Release
from marketplace.infra.blobs import Blobs
from marketplace.infra.jobs import Job
from marketplace.publishing import shipped
from tests.factories.catalog import NOON, make_app, make_release
from tests.factories.components import make_component
from tests.factories.publishing import manifest_text
from tests.sdk.bundles import write_folder


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """Two shipped apps, one that is broken, and a folder that is no app."""
    folder = tmp_path / "plugins"
    for name in ("first", "second"):
        write_folder(folder / name, {"caravan.toml": manifest_text(ident=f"caravan.{name}")})
    write_folder(folder / "broken", {"caravan.toml": "[app"})
    write_folder(folder / "notes", {"caravan.toml": None})
    return folder


def test_each_version_is_submitted_once(session: Session, plugins: Path, blobs: Blobs) -> None:
    assert shipped.submit_all(session, plugins, blobs, now=NOON) == [
        "caravan.first",
        "caravan.second",
    ]
    assert shipped.submit_all(session, plugins, blobs, now=NOON) == []
    write_folder(
        plugins / "first", {"caravan.toml": manifest_text(ident="caravan.first", version="1.1.0")}
    )
    assert shipped.submit_all(session, plugins, blobs, now=NOON) == ["caravan.first"]
    releases = session.exec(select(Release)).all()
    assert {release.publisher_id for release in releases} == {HOUSE_ID}
    assert len(session.exec(select(Job)).all()) == len(releases) == 3


def test_a_component_goes_last_and_nobody_waits_for_it(
    session: Session, plugins: Path, blobs: Blobs
) -> None:
    manifest = manifest_text(ident="caravan.a").replace('"python"\nentry = "app"', '"component"')
    files = {"caravan.toml": manifest, "app.py": None, "component.wasm": make_component()}
    write_folder(plugins / "a", files)
    submitted = shipped.submit_all(session, plugins, blobs, now=NOON)
    assert submitted == ["caravan.first", "caravan.second"]
    rows = session.exec(select(App.ident).join(Release).order_by(col(Release.id))).all()
    assert rows[-1] == "caravan.a"
    assert len(rows) == 3


def test_what_cannot_be_submitted_is_logged_and_left_out(
    session: Session, plugins: Path, blobs: Blobs
) -> None:
    theirs = make_app(session, ident="caravan.first")
    make_release(session, app=theirs, version="0.1.0")
    with capture_logs() as logs:
        assert shipped.submit_all(session, plugins, blobs, now=NOON) == ["caravan.second"]
    assert {(line["app"], line["rule"]) for line in logs} == {
        ("broken", "manifest.syntax"),
        ("first", "app.not-yours"),
    }


def test_an_older_folder_beside_a_newer_store_is_left_out(
    session: Session, plugins: Path, blobs: Blobs
) -> None:
    shipped.submit_all(session, plugins, blobs, now=NOON)
    app = session.exec(select(App).where(App.ident == "caravan.first")).one()
    make_release(session, app=app, version="2.0.0")
    write_folder(
        plugins / "first", {"caravan.toml": manifest_text(ident="caravan.first", version="1.5.0")}
    )
    with capture_logs() as logs:
        assert shipped.submit_all(session, plugins, blobs, now=NOON) == []
    assert "release.old-version" in {line["rule"] for line in logs}
