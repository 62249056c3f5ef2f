"""What lists are ordered by follows who used and rated what."""

from datetime import timedelta

from sqlmodel import Session

from marketplace.catalog import jobs, ranking, search, service, standings
from marketplace.catalog.models import App
from marketplace.inference.fake import FakeInference
from marketplace.infra.db import Database
from marketplace.infra.jobs import JobContext
from marketplace.kernel.ids import AppId
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, found_by, make_app, make_listed

TODAY = NOON.date()


def refresh(session: Session, app: App, average: float = 4.0) -> None:
    after = standings.FIRST
    while found := standings.refresh(session, after=after, average=average, before=TODAY):
        after = found
    session.flush()  # the rows that the test looks at


def test_the_average_is_that_of_every_rating(session: Session) -> None:
    assert standings.store_average(session) == ranking.MIDDLE
    make_app(session, rating_count=3, rating_total=15)
    make_app(session, rating_count=1, rating_total=1)
    make_app(session)
    assert standings.store_average(session) == 4.0


def test_people_of_the_last_week_make_a_trend_and_one_account_cannot(session: Session) -> None:
    risen, pushed = make_listed(session), make_listed(session)
    for _number in range(12):
        person = make_account(session).id
        service.count_run(session, AppId(risen.id), person, now=NOON - timedelta(days=1))
    eager = make_account(session).id
    for day in range(1, 7):
        for _again in range(20):
            service.count_run(session, AppId(pushed.id), eager, now=NOON - timedelta(days=day))
    session.expire_all()
    refresh(session, risen)
    assert risen.trend == ranking.trend(12, 0)
    assert pushed.trend == ranking.trend(1, 0)
    assert risen.score > pushed.score


def test_what_was_used_in_the_fortnight_before_is_the_baseline(session: Session) -> None:
    app = make_listed(session)
    for days in (3, 10, 20, 21, 40):
        person = make_account(session).id
        service.count_run(session, AppId(app.id), person, now=NOON - timedelta(days=days))
    session.expire_all()
    refresh(session, app)
    assert app.trend == ranking.trend(1, 3)
    assert app.people_count == 5


def test_an_app_that_was_never_filed_is_found_after_a_refresh(session: Session) -> None:
    app = make_app(session, name="Wayfarer")
    assert found_by(session, "wayfarer") == []
    refresh(session, app)
    assert found_by(session, "wayfarer") == [app.id]


def test_only_what_has_moved_is_filed_anew(session: Session) -> None:
    app = make_listed(session)
    refresh(session, app)
    row = app.search_row
    refresh(session, app)
    assert app.search_row == row
    app.rating_count, app.rating_total = 40, 200
    refresh(session, app)
    assert app.search_row != row
    assert search.is_well_rated(app)


def test_the_job_goes_through_every_app(empty_database: Database) -> None:
    with empty_database.writing() as session:
        app_id = make_app(session, rating_count=2, rating_total=10).id
    handlers = jobs.handlers(FakeInference())
    handler = handlers["catalog.refresh_standings"]
    assert set(jobs.schedules()) == set(handlers)
    handler(JobContext(empty_database, {}, NOON))
    with empty_database.reading() as session:
        app = session.get_one(App, app_id)
        assert app.rating_score == 5.0
        assert app.search_row is not None
