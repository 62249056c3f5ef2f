"""A whole store whose model other machines compute."""

from pathlib import Path

import pytest

from tests.e2e.api import Person
from tests.e2e.lab import ending, follow
from tests.e2e.store import Store
from tests.inference.openai_server import OpenAIServer

pytestmark = pytest.mark.e2e


def test_apps_run_on_another_machine_and_no_engine_is_started_here(tmp_path: Path) -> None:
    server = OpenAIServer("letters from afar")
    address = {"CARAVAN_INFERENCE__UPSTREAM__URL": server.url}
    store = Store(tmp_path, extra_environment=address).start()
    try:
        person = Person(store.url).sign_up()
        run = person.start(
            "caravan.phrasebook", "translate", text="Where is the station?", language="Spanish"
        )
        events = list(follow(person, run))
        said = "".join(data["text"] for _, name, data in events if name == "text")
        state, _, receipt = ending(iter(events))
        person.close()
        assert "letters from afar" in said
        assert state == "finished"
        assert "letters" in receipt
        assert not (tmp_path / "sockets" / "engine.sock").exists()
        assert all("Where is the station?" in str(body["messages"]) for body in server.chats)
    finally:
        store.stop()
        server.close()
