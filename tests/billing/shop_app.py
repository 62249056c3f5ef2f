"""Billing and advertising behind the web room, with stand-ins for the other rooms' pages."""

import re

from flask import Blueprint, Flask
from flask.testing import FlaskClient

from marketplace.ads import views as ads_views
from marketplace.billing import views as billing_views
from marketplace.infra.db import Database
from marketplace.web.auth import Actor
from tests.web.small_app import People, make_app

TOKEN = re.compile(r'name="csrf-token" content="([0-9a-f]+)"')
ELSEWHERE = {
    "catalog": {"home": "/", "app": "/apps/<ident>", "icon": "/apps/<ident>/icon"},
    "accounts": {"sign_in": "/accounts/sign-in"},
    "admin": {"overview": "/admin/"},
    "publishing": {"portal": "/portal/"},
}


def make_shop(database: Database, people: People) -> Flask:
    """Both rooms' pages over a database."""
    app = make_app(database, people)
    for room, pages in ELSEWHERE.items():
        stand_in = Blueprint(room, __name__)
        for endpoint, path in pages.items():
            stand_in.add_url_rule(path, endpoint, lambda **_given: "")
        app.register_blueprint(stand_in)
    app.register_blueprint(billing_views.bp)
    app.register_blueprint(ads_views.bp)
    return app


class Browser:
    """A person's browser: reads pages and sends their forms with the token on them."""

    def __init__(self, app: Flask, people: People, person: Actor | None = None) -> None:
        self.client: FlaskClient = app.test_client()
        if person is not None:
            people.sessions[str(person.id)] = person
            self.client.set_cookie("caravan", str(person.id))

    def read(self, path: str, *, status: int = 200) -> str:
        """A page's text."""
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def send(self, path: str, *, status: int = 303, **fields: str) -> str:
        """Send a form. Returns: where it leads, or the page it answers with."""
        found = TOKEN.search(self.client.get("/purchases").text) or TOKEN.search(
            self.client.get("/nowhere").text
        )
        assert found is not None
        answer = self.client.post(path, data={"csrf_token": found[1], **fields})
        assert answer.status_code == status, answer.text
        return answer.headers["Location"] if status == 303 else answer.text
