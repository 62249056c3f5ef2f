"""Runs started from an app's page, and what a browser sees of them."""

from typing import Any

from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from marketplace.catalog.models import App
from marketplace.kernel.ids import RunId
from marketplace.runs.models import Run
from tests.factories.pages import send
from tests.factories.runs import EVERY_PERMISSION, Stage

ALLOW = ",".join(EVERY_PERMISSION)
ASK = "yield 'It said: '\nyield from ctx.llm.stream('hello there')"


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
