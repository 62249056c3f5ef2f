"""Who gets which version: a beta release is there for those who asked for it."""

import pytest
from sqlmodel import Session, select

from marketplace.catalog import channels, service
from marketplace.catalog.models import App, Channel, Release, ReleaseState
from marketplace.inference.jobs import FORGET_RELEASE
from marketplace.infra.jobs import Job
from marketplace.kernel.ids import AccountId
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, make_listed, make_release, manifest_of

STABLE, BETA = Channel.STABLE, Channel.BETA


@pytest.fixture
def app(session: Session) -> App:
    return make_listed(session, name="Steady")


@pytest.fixture
def tester(session: Session, app: App) -> AccountId:
    person = AccountId(make_account(session).id)
    channels.join(session, app.id, person, now=NOON)
    session.flush()  # it is looked up by both keys
    return person


def publish(session: Session, app: App, version: str, channel: Channel = BETA) -> Release:
    name = {"name": f"Name {version}"}
    release = make_release(session, app=app, version=version, channel=channel)
    release.manifest = manifest_of(app.ident, version, app=name)
    service.publish(session, release, now=NOON)
    session.flush()  # what follows asks the database
    return release


def got(session: Session, app: App, person: AccountId | None) -> str:
    """The version a person gets, by both ways of asking."""
    release = channels.release_for(session, app, person)
    assert release is not None
    if person is not None:
        asked = select(channels.release_id(person)).where(App.id == app.id)
        assert session.exec(asked).one() == release.id
    return release.version


def test_a_beta_version_is_for_those_who_asked_for_it(
    session: Session, app: App, tester: AccountId
) -> None:
    stranger = AccountId(make_account(session).id)
    before = (app.name, app.current_release_id)
    publish(session, app, "1.1.0")
    assert [got(session, app, who) for who in (tester, stranger, None)] == [
        "1.1.0",
        "1.0.0",
        "1.0.0",
    ]
    assert (app.name, app.current_release_id) == before, "what everybody sees stays"
    channels.leave(session, app.id, tester)
    session.expire_all()  # the row is gone in the database
    assert got(session, app, tester) == "1.0.0"


def test_asking_twice_is_asking_once(session: Session, app: App, tester: AccountId) -> None:
    channels.join(session, app.id, tester, now=NOON)
    session.flush()  # a second row would be refused here


def test_a_higher_beta_version_takes_the_place_of_a_lower_one(
    session: Session, app: App, tester: AccountId
) -> None:
    publish(session, app, "1.2.0")
    publish(session, app, "1.10.0")
    publish(session, app, "1.3.0")
    assert got(session, app, tester) == "1.10.0"


def test_a_stable_version_ends_the_beta_it_has_overtaken(
    session: Session, app: App, tester: AccountId
) -> None:
    publish(session, app, "1.2.0")
    publish(session, app, "1.1.0", STABLE)
    assert (got(session, app, tester), got(session, app, None)) == ("1.2.0", "1.1.0")
    publish(session, app, "1.3.0", STABLE)
    assert (got(session, app, tester), app.beta_release_id) == ("1.3.0", None)
    publish(session, app, "1.2.5")
    assert app.beta_release_id is None, "a beta below the stable version is history"
    told = session.exec(select(Job).where(Job.name == FORGET_RELEASE)).all()
    forgotten = [job.payload["release"].partition("@")[2] for job in told]
    assert sorted(forgotten) == ["1.0.0", "1.1.0", "1.2.0"]


def test_a_beta_version_becomes_stable_as_it_is(
    session: Session, app: App, tester: AccountId
) -> None:
    release = publish(session, app, "1.2.0")
    service.make_stable(session, release, now=NOON)
    assert (release.channel, release.state) == (STABLE, ReleaseState.PUBLISHED)
    assert (app.name, got(session, app, None)) == ("Name 1.2.0", "1.2.0")
    assert (got(session, app, tester), app.beta_release_id) == ("1.2.0", None)


def test_a_beta_version_that_was_overtaken_becomes_history(session: Session, app: App) -> None:
    release = publish(session, app, "1.2.0")
    publish(session, app, "1.3.0", STABLE)
    service.make_stable(session, release, now=NOON)
    assert (app.name, got(session, app, None)) == ("Name 1.3.0", "1.3.0")
