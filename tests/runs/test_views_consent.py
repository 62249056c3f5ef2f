"""What an app may do: asked before its first run, seen on one page, and taken back there."""

from uuid import UUID

from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.inference.fake import FakeInference
from marketplace.kernel.ids import RunId
from marketplace.runs.models import Run, RunState
from tests.factories.pages import TOKEN, send
from tests.factories.run_pages import ASK, run_of, start
from tests.factories.runs import Stage


def test_an_app_asks_in_plain_words_before_its_first_run(lina: FlaskClient, here: Stage) -> None:
    shown = here.app(ASK, permissions=("llm.generate", "kv.app"))
    page = f"/apps/{shown.ident}"
    before = lina.get(page).text
    assert "Before its first run" in before
    assert "For tests." in before
    assert 'name="-allow" value="llm.generate,kv.app"' in before
    refused = send(lina, page, f"{page}/runs", **{"-action": "go", "-allow": "kv.app"})
    assert refused.status_code == 403
    assert "Uses the store" in refused.text
    with here.database.reading() as session:
        assert session.exec(select(Run)).all() == []
    run_of(
        here, send(lina, page, f"{page}/runs", **{"-action": "go", "-allow": "llm.generate,kv.app"})
    )
    assert "Before its first run" not in lina.get(page).text
    again = send(lina, page, f"{page}/runs", **{"-action": "go"})
    assert again.status_code == 303
    here.wait(RunId(UUID(again.location.rpartition("/")[2])))


def test_a_program_is_told_which_permissions_are_missing(lina: FlaskClient, here: Stage) -> None:
    shown = here.app(permissions=("kv.user",))
    page = f"/apps/{shown.ident}"
    [token, *_] = TOKEN.findall(lina.get(page).text)
    answer = lina.post(
        f"{page}/runs",
        data={"-action": "go", "csrf_token": token},
        headers={"Accept": "application/json"},
    )
    assert (answer.status_code, answer.json and answer.json["rule"]) == (403, "consent.needed")
    assert answer.json
    assert answer.json["permissions"] == ["kv.user"]


def test_permissions_are_seen_and_taken_back_on_one_page(lina: FlaskClient, here: Stage) -> None:
    shown = here.app(permissions=("kv.user",))
    run_of(here, start(lina, shown))
    page = lina.get("/permissions").text
    assert "Remembers things for you between runs." in page
    assert "For tests." in page
    answer = send(lina, "/permissions", f"/permissions/{shown.ident}/revoke")
    assert answer.status_code == 303
    assert "Nothing here yet" in lina.get("/permissions").text
    page = f"/apps/{shown.ident}"
    assert send(lina, page, f"{page}/runs", **{"-action": "go"}).status_code == 403
    assert send(lina, page, f"/permissions/{shown.ident}/revoke").status_code == 404


def test_taking_back_stops_what_the_app_does_now(lina: FlaskClient, here: Stage) -> None:
    assert isinstance(here.inference, FakeInference)
    here.inference.gate.clear()
    shown = here.app(ASK)
    start(lina, shown)
    with here.database.reading() as session:
        [run] = session.exec(select(Run)).all()
    here.wait(run.id, until="text")
    send(lina, "/permissions", f"/permissions/{shown.ident}/revoke")
    here.wait(run.id)
    here.inference.gate.set()
    assert here.run(run.id).state is RunState.STOPPED
