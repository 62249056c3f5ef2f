"""The page of what a person ran or bought."""

from datetime import timedelta

from flask.testing import FlaskClient
from sqlmodel import Session

from marketplace.accounts.models import Account
from marketplace.billing import service
from marketplace.catalog.models import App, AppState
from marketplace.kernel.ids import AccountId, OrderId
from marketplace.runs import my_apps
from tests.factories.accounts import make_account
from tests.factories.billing import NOON, TILL, make_actor, make_order
from tests.factories.catalog import make_app, make_release
from tests.factories.run_pages import ASK, run_of, start
from tests.factories.runs import Stage, make_run


def test_an_app_that_was_run_is_found_again_by_its_person_alone(
    here: Stage, lina: FlaskClient, omar: FlaskClient
) -> None:
    app = here.app(ASK)
    assert "Nothing here yet" in lina.get("/my-apps").text
    run_of(here, start(lina, app, text="salam"))
    page = lina.get("/my-apps").text
    assert f'href="/apps/{app.ident}#run"' in page
    assert "You ran it on" in page
    assert "Nothing here yet" in omar.get("/my-apps").text
    with here.database.writing() as session:
        session.get_one(App, app.id).state = AppState.BLOCKED
    assert "Nothing here yet" in lina.get("/my-apps").text


def test_what_was_bought_is_there_before_its_first_run_until_it_is_given_back(
    session: Session,
) -> None:
    order = make_order(session)
    service.confirm_payment(session, order, now=NOON)
    mine = my_apps.of(session, order.buyer_id, number=1, locale="en")
    assert [(app.ran_at, app.bought_at) for app in mine.items] == [(None, NOON)]
    buyer = make_actor(session.get_one(Account, order.buyer_id))
    service.refund(session, TILL, OrderId(order.id), asked_by=buyer, now=NOON)
    assert my_apps.of(session, order.buyer_id, number=1, locale="en").total == 0


def test_the_app_that_was_run_last_comes_first(session: Session) -> None:
    person, apps = make_account(session), [make_app(session, state=AppState.LISTED) for _ in "abc"]
    for days, app in zip((2, 0, 1), apps, strict=True):
        at = NOON - timedelta(days=days)
        release = make_release(session, app=app)
        make_run(session, app, person_id=person.id, release_id=release.id, created_at=at)
    mine = my_apps.of(session, AccountId(person.id), number=1, locale="en")
    assert [each.tile.ident for each in mine.items] == [apps[at].ident for at in (1, 2, 0)]


def test_a_stranger_is_sent_to_sign_in(here: Stage, lina: FlaskClient) -> None:
    assert lina.application.test_client().get("/my-apps").status_code == 303
