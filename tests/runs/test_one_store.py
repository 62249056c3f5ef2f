"""The whole store's streams and its executor work on the same logs."""

import threading
from contextlib import closing
from pathlib import Path

import pytest

from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import RunId
from marketplace.runs.events import EventLogs, EventWriter
from marketplace.runs.models import RunState
from tests.factories.accounts import make_account, make_session
from tests.factories.runs import make_run, make_runnable
from tests.factories.whole import whole_store


def test_a_word_wakes_the_stream_of_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()
    wait_beyond = EventWriter.wait_beyond

    def wait(self: EventWriter, offset: int, most_s: float) -> None:
        waits.set()
        wait_beyond(self, offset, most_s)

    monkeypatch.setattr(EventWriter, "wait_beyond", wait)
    with whole_store(tmp_path) as store:
        executor = store.app.extensions["executor"]
        with store.database.writing() as session:
            app = make_runnable(session, store.blobs)
            person = make_account(session)
            cookie = make_session(session, person, now=utc_now())
            state = {"state": RunState.RUNNING, "executor": "elsewhere", "created_at": utc_now()}
            run_id = RunId(make_run(session, app, person_id=person.id, **state).id)
        logs: EventLogs = executor.logs
        with closing(logs.open(run_id)) as writer:
            writer.write("started", {})

            def tell() -> None:
                waits.wait(10)
                writer.write("text", {"text": "hello"})
                writer.write("done", {})

            teller = threading.Thread(target=tell)
            teller.start()
            client = store.app.test_client()
            client.set_cookie("caravan", cookie)
            text = client.get(f"/runs/{run_id}/events").text
            teller.join()
    assert waits.is_set()
    assert "hello" in text
