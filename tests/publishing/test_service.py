"""Submitting: who may publish which id and version, and what is left when they may not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from marketplace.accounts.models import Account
from marketplace.catalog import service as catalog
from marketplace.catalog.models import (
    App,
    AppState,
    Channel,
    ListingText,
    Product,
    Release,
    ReleaseState,
)
from marketplace.infra.blobs import Blobs
from marketplace.infra.jobs import Job
from marketplace.kernel.errors import CaravanError
from marketplace.publishing import service
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, make_app, make_listed, make_release
from tests.factories.publishing import PRODUCT, bundle_bytes, make_upload, publisher_of


@pytest.fixture
def lina(session: Session) -> Account:
    return make_account(session, is_developer=True)


def submit(session: Session, account: Account, blobs: Blobs, data: bytes) -> Release:
    return service.submit(session, publisher_of(account), data, blobs=blobs, now=NOON)


def left(session: Session, blobs: Blobs, tmp_path: Path) -> tuple[int, int, int, int]:
    """How many apps, releases, jobs and blobs there are."""
    tables = (App, Release, Job)
    counts = [len(session.exec(select(table)).all()) for table in tables]
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    return (*counts, len(files))  # type: ignore[return-value]  # three counts and one


def test_an_upload_waits_for_its_checks(session: Session, lina: Account, blobs: Blobs) -> None:
    data = bundle_bytes(more=PRODUCT)
    release = submit(session, lina, blobs, data)
    app = session.get_one(App, release.app_id)
    assert (release.state, release.version) == (ReleaseState.CHECKING, "1.0.0")
    assert (app.ident, app.owner_id, app.state) == ("tests.echo", lina.id, AppState.HIDDEN)
    assert blobs.get(release.bundle_key) == data
    assert release.bundle_bytes == len(data)
    assert release.manifest["product"][0]["price"] == "4.99"
    assert release.listings["ar"]["name"] == "صدى"
    [job] = session.exec(select(Job)).all()
    assert (job.name, job.payload) == ("review.check_release", {"release_id": str(release.id)})


def test_texts_and_products_wait_for_the_verdict(
    session: Session, lina: Account, blobs: Blobs
) -> None:
    submit(session, lina, blobs, bundle_bytes(more=PRODUCT))
    assert session.exec(select(Product)).all() == []
    assert session.exec(select(ListingText)).all() == []


def test_a_developer_uploads_so_many_releases_in_a_day(
    session: Session, lina: Account, blobs: Blobs, tmp_path: Path
) -> None:
    lina_today = replace(publisher_of(lina), uploads_a_day=2)

    def upload(version: str, after: timedelta) -> Release:
        data = bundle_bytes(version=version)
        return service.submit(session, lina_today, data, blobs=blobs, now=NOON + after)

    upload("1.0.0", timedelta())
    # One that was turned down has been checked too.
    upload("1.1.0", timedelta(hours=2)).state = ReleaseState.REJECTED
    before = left(session, blobs, tmp_path)
    with pytest.raises(service.TooManyUploads, match="2 releases in the last 24") as refused:
        upload("1.2.0", timedelta(hours=23))
    assert refused.value.retry_after_s == 3600
    assert left(session, blobs, tmp_path) == before
    upload("1.2.0", timedelta(hours=24))


def test_an_upload_changes_nothing_that_people_see(
    session: Session, lina: Account, blobs: Blobs
) -> None:
    app = make_app(session, owner=lina, ident="tests.echo", name="Old name")
    submit(session, lina, blobs, bundle_bytes(name="New name"))
    assert (app.name, app.state, app.current_release_id) == ("Old name", AppState.LISTED, None)


def test_the_first_publisher_owns_the_id(session: Session, lina: Account, blobs: Blobs) -> None:
    make_upload(session, blobs, by=lina)
    with pytest.raises(service.NotYourApp, match="belongs to another developer") as caught:
        make_upload(session, blobs, version="2.0.0")
    assert caught.value.rule == "app.not-yours"


def test_ids_of_the_house_are_for_operators(session: Session, lina: Account, blobs: Blobs) -> None:
    with pytest.raises(service.ReservedIdent) as caught:
        make_upload(session, blobs, by=lina, ident="caravan.echo")
    assert caught.value.rule == "app.reserved-id"
    operator = make_account(session, is_developer=True, is_operator=True)
    assert make_upload(session, blobs, by=operator, ident="caravan.echo").version == "1.0.0"


@pytest.mark.parametrize("state", list(ReleaseState))
def test_a_version_never_comes_twice(
    session: Session, lina: Account, blobs: Blobs, state: ReleaseState
) -> None:
    app = make_app(session, owner=lina, ident="tests.echo")
    make_release(session, app=app, state=state)
    with pytest.raises(service.DuplicateVersion, match="Raise the version") as caught:
        make_upload(session, blobs, by=lina)
    assert caught.value.rule == "release.duplicate-version"


@pytest.mark.parametrize(
    ("there", "version", "is_taken"),
    [("1.9.0", "1.10.0", True), ("1.10.0", "1.9.0", False), ("2.0.0", "1.99.99", False)],
)
def test_a_version_must_be_the_highest(
    session: Session, lina: Account, blobs: Blobs, there: str, version: str, *, is_taken: bool
) -> None:
    make_release(session, app=make_app(session, owner=lina, ident="tests.echo"), version=there)
    if is_taken:
        assert make_upload(session, blobs, by=lina, version=version).version == version
        return
    with pytest.raises(service.OldVersion, match=f"{there} is here already"):
        make_upload(session, blobs, by=lina, version=version)


def test_a_version_that_was_turned_down_is_in_nobodys_way(
    session: Session, lina: Account, blobs: Blobs
) -> None:
    app = make_app(session, owner=lina, ident="tests.echo")
    make_release(session, app=app, version="9.0.0", state=ReleaseState.REJECTED)
    assert make_upload(session, blobs, by=lina, version="1.0.1").version == "1.0.1"


def submit_beta(session: Session, account: Account, blobs: Blobs, **given: str) -> Release:
    return service.submit(
        session,
        publisher_of(account),
        bundle_bytes(**given),
        channel=Channel.BETA,
        blobs=blobs,
        now=NOON,
    )


def test_a_beta_version_needs_a_stable_one_before_it(
    session: Session, lina: Account, blobs: Blobs
) -> None:
    with pytest.raises(service.NothingStable) as caught:
        submit_beta(session, lina, blobs, ident="tests.fresh")
    assert caught.value.rule == "release.nothing-stable"
    make_listed(session, owner=lina, ident="tests.echo")
    release = submit_beta(session, lina, blobs, version="1.1.0")
    assert (release.channel, release.state) == (Channel.BETA, ReleaseState.CHECKING)


def test_a_stable_version_may_be_lower_than_a_beta_one_and_no_other_way_round(
    session: Session, lina: Account, blobs: Blobs
) -> None:
    make_listed(session, owner=lina, ident="tests.echo")
    submit_beta(session, lina, blobs, version="1.5.0")
    assert make_upload(session, blobs, by=lina, version="1.0.1").channel is Channel.STABLE
    make_upload(session, blobs, by=lina, version="1.6.0")
    with pytest.raises(service.OldVersion):
        submit_beta(session, lina, blobs, version="1.5.1")


def test_the_same_bundle_of_a_published_beta_becomes_stable_and_another_never(
    session: Session, lina: Account, blobs: Blobs
) -> None:
    app = make_listed(session, owner=lina, ident="tests.echo")
    release = submit_beta(session, lina, blobs, version="1.1.0")
    with pytest.raises(service.DuplicateVersion):
        make_upload(session, blobs, by=lina, version="1.1.0")
    release.move_to(ReleaseState.IN_REVIEW, now=NOON)
    catalog.publish(session, release, now=NOON)
    with pytest.raises(service.DuplicateVersion):
        make_upload(session, blobs, by=lina, version="1.1.0", name="Other")
    assert make_upload(session, blobs, by=lina, version="1.1.0") is release
    assert (release.channel, app.current_release_id) == (Channel.STABLE, release.id)


def test_a_publisher_has_so_many_waiting_and_no_more(
    session: Session, lina: Account, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_WAITING", 2)
    make_upload(session, blobs, by=lina, version="1.0.0")
    second = make_upload(session, blobs, by=lina, version="1.0.1")
    with pytest.raises(service.TooManyWaiting) as caught:
        make_upload(session, blobs, by=lina, version="1.0.2")
    assert caught.value.retry_after_s > 0
    second.state = ReleaseState.REJECTED
    session.flush()  # the count is taken by the database
    assert make_upload(session, blobs, by=lina, version="1.0.2").version == "1.0.2"


REFUSED: dict[str, Callable[[], bytes]] = {
    "a broken bundle": lambda: b"PK\x03\x04 and then nothing",
    "the version that is here": bundle_bytes,
    "an older version": lambda: bundle_bytes(version="0.9.0"),
    "an id of the house": lambda: bundle_bytes(ident="caravan.thief"),
    "somebody else's id": lambda: bundle_bytes(ident="tests.theirs", version="3.0.0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_leaves_nothing_half_written(
    session: Session, lina: Account, blobs: Blobs, tmp_path: Path, name: str
) -> None:
    make_upload(session, blobs, ident="tests.theirs")
    make_upload(session, blobs, by=lina)
    before = left(session, blobs, tmp_path)
    with pytest.raises(CaravanError):
        submit(session, lina, blobs, REFUSED[name]())
    assert left(session, blobs, tmp_path) == before


def test_an_id_that_was_taken_in_the_same_moment_is_a_conflict(
    session: Session, lina: Account, blobs: Blobs
) -> None:
    other = make_app(session)
    # Without autoflush the lookup cannot see the other publisher's row; the insert can.
    with session.no_autoflush:
        other.ident = "tests.echo"
        with pytest.raises(service.TakenMeanwhile):
            submit(session, lina, blobs, bundle_bytes())
    session.rollback()
