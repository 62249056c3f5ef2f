"""A store of pages for tests: the web room, real accounts, and doors of rooms above as stubs."""

import re
from typing import Any

from flask import Blueprint, Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from marketplace.accounts import views as accounts_views
from marketplace.accounts import views_settings as account_views
from marketplace.accounts import views_tokens as tokens_views
from marketplace.accounts.identity import AccountIdentity
from marketplace.accounts.models import Account
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from tests.factories.accounts import make_account, make_session
from tests.web.small_app import make_app

TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]{64})"')
# Pages that many templates link to, whichever rooms a test has.
DOORS = {
    "catalog.app": "/apps/<ident>",
    "catalog.icon": "/apps/<ident>/icon",
    "collections.all_shown": "/collections",
    "collections.desk": "/admin/collections",
    "collections.one": "/collections/<key>",
    "leaving.close": "/accounts/close",
    "leaving.data": "/accounts/data",
    "ratings.waiting": "/reviews/waiting",
    "reports.app": "/review/apps/<ident>",
    "reports.form": "/apps/<ident>/report",
    "reports.reported": "/review/apps/",
    "review.queue": "/review/",
}


def make_store(database: Database, *rooms: Blueprint, **stubs: str) -> Flask:
    """An app with these rooms.

    Args:
        stubs: endpoint with `__` for its dot → address of a page that a template links to.
    """
    app = make_app(database, AccountIdentity(database), MAX_CONTENT_LENGTH=12 * 2**20)
    for room in (accounts_views.bp, account_views.bp, tokens_views.bp, *rooms):
        app.register_blueprint(room)
    doors = {**DOORS, **{name.replace("__", "."): address for name, address in stubs.items()}}
    for name, address in doors.items():
        if name not in app.view_functions:
            app.add_url_rule(address, endpoint=name, view_func=lambda **_: "")
    return app


def sign_in(database: Database, client: FlaskClient, **given: Any) -> Account:
    """An account that is signed in with this client."""
    with database.writing() as session:
        account = make_account(session, **given)
        client.set_cookie("caravan", make_session(session, account, now=utc_now()))
    return account


def send(client: FlaskClient, page: str, action: str | None = None, **fields: Any) -> TestResponse:
    """Open a page, then send a form of it with its token, as a browser would."""
    [token, *_] = TOKEN.findall(client.get(page).text)
    return client.post(action or page, data={**fields, "csrf_token": token})
