"""Counting runs; publishing itself is tested where a reviewer does it."""

from datetime import timedelta

from sqlmodel import Session, select

from marketplace.catalog import service
from marketplace.catalog.models import App, Use
from marketplace.kernel.ids import AccountId, AppId
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, make_app, make_product


def run(session: Session, app: App, person_id: AccountId, *, days: int = 0) -> None:
    service.count_run(session, AppId(app.id), person_id, now=NOON + timedelta(days=days))
    session.refresh(app)


def uses(session: Session) -> list[tuple[AccountId, int]]:
    found = session.exec(select(Use).order_by(Use.day)).all()
    return [(use.person_id, use.times) for use in found]


def test_a_run_is_counted_once_and_for_its_app_alone(session: Session) -> None:
    app, other = make_app(session, run_count=4), make_app(session)
    run(session, app, make_account(session).id)
    session.refresh(other)
    assert (app.run_count, other.run_count) == (5, 0)
    assert (app.people_count, other.people_count) == (1, 0)


def test_one_person_counts_once_however_often_they_run_it(session: Session) -> None:
    app, lina, basim = make_app(session), make_account(session), make_account(session)
    for days in (0, 0, 3):
        run(session, app, lina.id, days=days)
    run(session, app, basim.id, days=4)
    assert (app.run_count, app.people_count) == (4, 2)
    assert uses(session) == [(lina.id, 2), (lina.id, 1), (basim.id, 1)]


def test_developers_do_not_lift_their_own_app(session: Session) -> None:
    app = make_app(session)
    run(session, app, app.owner_id)
    assert (app.run_count, app.people_count, uses(session)) == (1, 0, [])


def test_an_app_carries_the_least_price_that_opens_it(session: Session) -> None:
    app = make_app(session)
    make_product(session, app, key="extra", price_micros=500_000, unlocks="feature")
    assert app.price is None
    product = make_product(session, app)
    assert app.price == product.price
    product.active = False
    service.settle_price(session, app)
    assert app.price is None
