"""A person's settings, and how they and visitors choose what the store looks like."""

import re
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from marketplace.accounts.models import Account, AccountSession
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from tests.factories.accounts import PASSWORD, make_account, make_session
from tests.factories.pages import make_store, send, sign_in

SETTINGS = "/accounts/settings"
LOOK = "/accounts/look"


@pytest.fixture(scope="module")
def app(database: Database) -> Flask:
    """Made once: compiling its templates takes longer than the tests."""
    return make_store(database)


def cookies(answer: TestResponse) -> dict[str, str]:
    """What an answer has the browser keep."""
    found = SimpleCookie()
    for line in answer.headers.getlist("Set-Cookie"):
        found.load(line)
    return {name: morsel.value for name, morsel in found.items()}


def kept(database: Database, account: Account) -> Account:
    """The account as the database has it."""
    with database.reading() as session:
        return session.get_one(Account, account.id)


def test_name_language_and_colours_are_saved_for_this_browser_and_those_to_come(
    client: FlaskClient, app: Flask, empty_database: Database
) -> None:
    account = sign_in(empty_database, client, locale="en", email="lina@example.org")
    answer = send(client, SETTINGS, name="لينا", locale="ar", theme="dark")
    assert answer.status_code == 303
    page = client.get(SETTINGS).text
    assert 'lang="ar" dir="rtl" data-theme="dark"' in page
    assert "لينا" in page
    saved = kept(empty_database, account)
    assert (saved.name, saved.locale, saved.theme) == ("لينا", "ar", "dark")
    elsewhere = app.test_client()
    send(elsewhere, "/accounts/sign-in", email="lina@example.org", password=PASSWORD)
    assert 'lang="ar" dir="rtl" data-theme="dark"' in elsewhere.get(SETTINGS).text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"locale": "tlh"}, "does not speak"),
        ({"theme": "plaid"}, "not accepted"),
        ({"name": ""}, "fill"),
    ],
)
def test_settings_that_do_not_fit_change_nothing(
    client: FlaskClient, empty_database: Database, wrong: dict[str, str], said: str
) -> None:
    account = sign_in(empty_database, client, name="Lina", locale="en")
    refused = send(client, SETTINGS, **{"name": "L", "locale": "en", "theme": "auto", **wrong})
    assert refused.status_code == 422
    assert said in refused.text
    assert kept(empty_database, account).name == "Lina"


def test_the_button_at_the_top_changes_an_accounts_language_and_comes_back(
    client: FlaskClient, empty_database: Database
) -> None:
    account = sign_in(empty_database, client, locale="en")
    answer = send(client, SETTINGS, LOOK, locale="ar", next="/runs?page=2")
    assert (answer.status_code, answer.location) == (303, "/runs?page=2")
    assert 'lang="ar"' in client.get(SETTINGS).text
    assert kept(empty_database, account).locale == "ar"
    refused = send(client, SETTINGS, LOOK, locale="tlh")
    assert refused.status_code == 422
    assert kept(empty_database, account).locale == "ar"


def test_the_button_comes_back_to_the_page_without_the_language_in_its_address(
    client: FlaskClient, empty_database: Database
) -> None:
    sign_in(empty_database, client)
    page = client.get(f"{SETTINGS}?q=a%26b&lang=ar").text
    assert f'name="next" value="{SETTINGS}?q=a%26b"' in page


def test_a_visitors_colours_are_a_cookie_that_the_server_draws_in(
    client: FlaskClient, empty_database: Database
) -> None:
    page = "/accounts/sign-in"
    assert "data-theme=" not in client.get(page).text.split(">", 2)[1]
    answer = send(client, page, LOOK, theme="light", next=page)
    assert (answer.location, cookies(answer)["theme"]) == (page, "light")
    assert 'data-theme="light"' in client.get(page).text
    send(client, page, LOOK, theme="plaid")
    assert 'data-theme="light"' not in client.get(page).text


def test_nobody_is_led_away_after_choosing(client: FlaskClient) -> None:
    answer = send(client, "/accounts/sign-in", LOOK, theme="dark", next="//evil.example")
    assert answer.location == "/"


def test_choices_are_switched_off_and_on(client: FlaskClient, empty_database: Database) -> None:
    account = sign_in(empty_database, client)
    for name, column in (("own_rows", "has_own_rows"), ("ads_fit_app", "ads_fit_app")):
        for sent, expected in (({}, False), ({name: "true"}, True)):
            assert send(client, SETTINGS, f"{SETTINGS}/choices", **sent).status_code == 303
            assert getattr(kept(empty_database, account), column) is expected
            switch = re.search(rf'<input[^>]*name="{name}"[^>]*>', client.get(SETTINGS).text)
            assert switch is not None
            assert ("checked" in switch[0]) is expected
    refused = send(client, SETTINGS, f"{SETTINGS}/choices", own_rows="perhaps")
    assert refused.status_code == 422


def test_browsers_are_listed_and_ended_one_by_one_or_all_but_this(
    client: FlaskClient, app: Flask, empty_database: Database
) -> None:
    account = sign_in(empty_database, client)
    other, third = app.test_client(), app.test_client()
    with empty_database.writing() as session:
        stranger = make_account(session)
        make_session(session, stranger, now=utc_now())
        for each in (other, third):
            each.set_cookie("caravan", make_session(session, account, now=utc_now()))
    page = client.get(SETTINGS).text
    assert page.count("Firefox on Linux") == 3
    assert page.count("This browser") == 1
    with empty_database.reading() as session:
        rows = session.exec(select(AccountSession)).all()
    [theirs] = [row.id for row in rows if row.account_id == stranger.id]
    send(client, SETTINGS, f"/accounts/sessions/{theirs}/end")
    mine = [row.id for row in rows if f"/sessions/{row.id}/end" in page]
    assert len(mine) == 2
    send(client, SETTINGS, f"/accounts/sessions/{mine[0]}/end")
    assert sorted(each.get(SETTINGS).status_code for each in (other, third)) == [200, 303]
    send(client, SETTINGS, "/accounts/sessions/end-others")
    assert [each.get(SETTINGS).status_code for each in (client, other, third)] == [200, 303, 303]
    with empty_database.reading() as session:
        assert session.get(AccountSession, theirs) is not None


def test_a_browsers_visit_is_noted_once_an_hour(
    client: FlaskClient, empty_database: Database
) -> None:
    account = sign_in(empty_database, client)
    long_ago = utc_now() - timedelta(hours=2)

    def last_seen(*, as_if: bool = False) -> object:
        with empty_database.writing() as session:
            row = session.exec(
                select(AccountSession).where(AccountSession.account_id == account.id)
            ).one()
            if as_if:
                row.last_seen_at = long_ago
            return row.last_seen_at

    first = last_seen()
    client.get(SETTINGS)
    assert last_seen() == first
    last_seen(as_if=True)
    client.get(SETTINGS)
    assert last_seen() != long_ago
