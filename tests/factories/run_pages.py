"""The pages of apps that run, runs started from there, and what a browser sees of them."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Flask, request
from flask.testing import FlaskClient
from sqlmodel import Session, select
from werkzeug.test import TestResponse

from marketplace.billing import queries as billing
from marketplace.catalog import views as catalog_views
from marketplace.catalog import views_ratings
from marketplace.catalog.models import App, Release
from marketplace.kernel.ids import RunId
from marketplace.runs import (
    queries,
    views,
    views_audit,
    views_consent,
    views_my_apps,
    views_repeating,
    views_settings,
    views_shares,
)
from marketplace.runs.models import Run
from marketplace.runs.pages import Panel
from marketplace.web.auth import actor
from marketplace.web.sse import Streams
from tests.factories.pages import make_store, send
from tests.factories.runs import EVERY_PERMISSION, VAULT, Stage

ALLOW = ",".join(EVERY_PERMISSION)
ASK = "yield 'It said: '\nyield from ctx.llm.stream('hello there')"


def _panel_for(session: Session, app: App, release: Release | None) -> Panel:
    person = actor()
    person_id = person.id if person else None
    again = request.args.get("again", type=UUID)
    return queries.panel(
        session, app, release, VAULT, person_id=person_id, unavailable=None, again=again
    )


def make_run_pages(here: Stage, *rooms: Blueprint) -> Flask:
    """The pages of apps, of their ratings and of their runs, and these rooms."""
    return make_store(
        here.database,
        catalog_views.blueprint(here.blobs, _panel_for, billing.has_bought),
        views_ratings.blueprint(billing.has_bought),
        views.blueprint(here.database, here.logs, here.questions, here.starter, Streams(8)),
        views_audit.blueprint(here.audits),
        views_consent.blueprint(here.executor),
        views_settings.blueprint(VAULT),
        views_my_apps.bp,
        views_shares.bp,
        views_repeating.blueprint(here.starter),
        *rooms,
        publishing__portal="/portal/",
        reports__form="/apps/<ident>/report",
        billing__checkout="/checkout/<product_id>",
    )


def start(client: FlaskClient, app: App, **fields: Any) -> TestResponse:
    page = f"/apps/{app.ident}"
    return send(client, page, f"{page}/runs", **{"-action": "go", "-allow": ALLOW, **fields})


def run_of(here: Stage, answer: TestResponse) -> RunId:
    """The run a redirect leads to, once it is over."""
    assert answer.status_code == 303
    with here.database.reading() as session:
        [run] = session.exec(select(Run)).all()
    assert answer.location == f"/runs/{run.id}"
    here.wait(run.id)
    return run.id


def streamed(client: FlaskClient, run_id: RunId, after: int | None = None) -> list[str]:
    """Names of the events a browser gets that has seen `after`."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    answer = client.get(f"/runs/{run_id}/events", headers=headers)
    assert answer.mimetype == "text/event-stream"
    return [
        line.removeprefix("event: ")
        for line in answer.text.splitlines()
        if line.startswith("event: ")
    ]
