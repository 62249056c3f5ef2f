"""A finished run is shown to whoever has its link: only if its person wants, while they do."""

import re

from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.catalog import service as catalog
from marketplace.catalog.models import App
from marketplace.kernel.ids import RunId
from marketplace.runs.models import Run, RunState, Share
from tests.factories.pages import send
from tests.factories.run_pages import ASK, run_of, start
from tests.factories.runs import Stage

LINK = re.compile(r"https://store\.example\.org(/shared/[\w-]{32})")


def shared(client: FlaskClient, run_id: RunId, **fields: str) -> str:
    """Make a link on the run's page. Returns: its path."""
    page = f"/runs/{run_id}"
    assert send(client, page, f"{page}/share", **fields).location == f"{page}#share"
    [link] = set(LINK.findall(client.get(page).text))
    return str(link)


def test_a_run_is_shown_under_its_link_and_nowhere_else(
    here: Stage, lina: FlaskClient, app: Flask
) -> None:
    run_id = run_of(here, start(lina, here.app(ASK), text="salam"))
    visitor = app.test_client()
    assert LINK.search(lina.get(f"/runs/{run_id}").text) is None
    link = shared(lina, run_id)
    answer = visitor.get(link)
    assert "It said: Hello." in answer.text
    assert "salam" not in answer.text
    assert "receipt" not in answer.text
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert answer.headers["Cache-Control"] == "no-store"
    assert visitor.get(f"/shared/{run_id}").status_code == 404
    assert visitor.get(f"/runs/{run_id}").status_code == 303


def test_what_was_asked_is_shown_only_to_whom_it_shall_be(
    here: Stage, lina: FlaskClient, app: Flask
) -> None:
    run_id = run_of(here, start(lina, here.app(ASK), text="salam"))
    assert "salam" in app.test_client().get(shared(lina, run_id, shows_input="true")).text


def test_a_link_that_is_taken_back_leads_nowhere_and_never_comes_back(
    here: Stage, lina: FlaskClient, omar: FlaskClient, app: Flask
) -> None:
    run_id = run_of(here, start(lina, here.app(ASK)))
    link, page = shared(lina, run_id), f"/runs/{run_id}"
    for action in ("share", "share/end"):
        assert send(omar, "/runs", f"{page}/{action}").status_code == 404
    assert app.test_client().get(link).status_code == 200
    assert send(lina, page, f"{page}/share/end").status_code == 303
    assert app.test_client().get(link).status_code == 404
    assert shared(lina, run_id) != link
    assert app.test_client().get(link).status_code == 404


def test_advertisements_are_not_shown_to_whom_nobody_counts(
    here: Stage, lina: FlaskClient, app: Flask
) -> None:
    run_id = run_of(here, start(lina, here.app(ASK)))
    with here.database.writing() as session:
        run = session.get_one(Run, run_id)
        run.output = [*run.output, {"kind": "slot", "offer": str(run_id)}]
    assert app.test_client().get(shared(lina, run_id)).status_code == 200


def test_only_a_run_that_came_to_its_end_is_shown(here: Stage, lina: FlaskClient) -> None:
    run_id = run_of(here, start(lina, here.app("raise ValueError('no camel')")))
    page = f"/runs/{run_id}"
    assert "Make a link" not in lina.get(page).text
    assert send(lina, page, f"{page}/share").status_code == 409
    with here.database.reading() as session:
        assert session.get_one(Run, run_id).state is RunState.FAILED
        assert session.exec(select(Share)).all() == []


def test_what_an_app_made_is_gone_with_the_app_that_was_taken_down(
    here: Stage, lina: FlaskClient, app: Flask
) -> None:
    made_by = here.app(ASK)
    link = shared(lina, run_of(here, start(lina, made_by)))
    visitor = app.test_client()
    with here.database.writing() as session:
        catalog.withdraw(session, session.get_one(App, made_by.id))
    assert "Try it yourself" not in visitor.get(link).text
    with here.database.writing() as session:
        catalog.take_down(session, session.get_one(App, made_by.id), reason="It insults people.")
    assert visitor.get(link).status_code == 404
