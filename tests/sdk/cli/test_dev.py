"""The local page: the form's data, streamed runs, and following every save."""

import http.client
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from caravan.cli.devserver import DevServer, Upstreams
from caravan.cli.model import Upstream
from caravan.cli.output import Exit
from caravan.errors import HostError

from tests.sdk.bundles import APP, write_folder
from tests.sdk.cli.conftest import FakeStore, Terminal

SDK = Path(__file__).parents[3] / "sdk"


@pytest.fixture
def server(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[DevServer]:
    monkeypatch.setenv("PYTHONPATH", str(SDK))
    server = DevServer(write_folder(terminal.folder / "echo"), 0, Upstreams())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(
    server: DevServer, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    sent = {"content-type": "application/json", **headers}
    connection.request(method, path, json.dumps(body) if body else None, sent)
    response = connection.getresponse()
    answer = (response.status, response.read())
    connection.close()
    return answer


def run(server: DevServer, **values: Any) -> list[dict[str, Any]]:
    _, body = ask(server, "POST", "/run", {"action": "echo", "values": values})
    return [json.loads(line) for line in body.splitlines()]


def test_the_page_and_what_it_shows(server: DevServer) -> None:
    status, page = ask(server, "GET", "/")
    assert (status, b'src="/dev.js"' in page) == (200, True)
    about = json.loads(ask(server, "GET", "/about")[1])
    assert (about["name"], about["model"], about["kind"]) == ("Echo", "pretended", "describe")
    assert about["actions"][0]["input_schema"]["required"] == ["text"]
    assert ask(server, "GET", "/icon")[1].startswith(b"<svg")
    assert ask(server, "GET", "/../caravan.toml")[0] == 404


def test_a_run_streams_items_and_calls(server: DevServer) -> None:
    lines = run(server, text="salam")
    assert lines[0] == {"kind": "text", "text": "salam"}
    assert lines[1]["op"] == "llm.open"
    assert "".join(line["text"] for line in lines[2:-1]).startswith("This is a pretended answer.")
    assert lines[-1] == {"kind": "end"}


def test_every_save_counts_at_once(server: DevServer) -> None:
    before = server.version()
    (server.folder / "app.py").write_text(APP.replace("yield text", "yield text.upper()"))
    os.utime(server.folder / "app.py")
    assert server.version() != before
    assert run(server, text="salam")[0]["text"] == "SALAM"


def test_a_broken_app_shows_its_place_and_a_broken_manifest_its_line(server: DevServer) -> None:
    (server.folder / "app.py").write_text(APP + "\nx = 1 / 0\n")
    about = json.loads(ask(server, "GET", "/about")[1])
    assert about["kind"] == "error"
    assert "ZeroDivisionError" in about["traceback"]
    assert "caravan/cli" not in about["traceback"]
    (server.folder / "caravan.toml").write_text("[app]\n")
    about = json.loads(ask(server, "GET", "/about")[1])
    assert about["message"].startswith("caravan.toml:1: ")


def test_wrong_input_is_told_without_a_traceback(server: DevServer) -> None:
    [line] = run(server, text=7)
    assert line == {
        "kind": "error",
        "type": "InvalidInput",
        "message": "Text must be a text.",
        "traceback": "",
    }


def test_an_app_that_prints_or_ends_the_process_breaks_nothing(server: DevServer) -> None:
    (server.folder / "app.py").write_text(APP.replace("yield text", "print('x'); yield text"))
    assert run(server, text="a")[0]["text"] == "a"
    (server.folder / "app.py").write_text("import os\nos._exit(1)\n")
    assert json.loads(ask(server, "GET", "/about")[1])["message"] == (
        "The app ended while it was imported."
    )


def test_other_web_sites_cannot_reach_the_app(server: DevServer) -> None:
    assert ask(server, "GET", "/about", host="evil.example")[0] == 403
    body = {"action": "echo", "values": {"text": "x"}}
    assert ask(server, "POST", "/run", body, host="evil.example:80")[0] == 403
    assert ask(server, "POST", "/run", body, **{"content-type": "text/plain"})[0] == 400


def stream_of(*events: tuple[str, Any]) -> bytes:
    """Server-sent events, as a store's model answers."""
    return "".join(
        f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n"
        for number, (name, data) in enumerate(events, start=1)
    ).encode()


def test_a_stores_model_answers(server: DevServer, store: FakeStore) -> None:
    server.upstreams = Upstreams(store.url, "secret")
    store.media_type = "text/event-stream"
    pieces = [("piece", {"text": text}) for text in ("Sal", "am")]
    store.answers.append((200, stream_of(*pieces, ("end", {"end": "stop"}))))
    answer = run(server, text="Greet")
    assert [line["text"] for line in answer[2:-1]] == ["Sal", "am"]
    method, path, token, body = store.asked[0]
    assert (method, path, token) == ("POST", "/api/v1/model", "Bearer secret")
    assert json.loads(body)["messages"] == [{"role": "user", "content": "Greet"}]


def test_a_store_that_gives_no_answer_says_why(store: FakeStore) -> None:
    refused = stream_of(("refused", {"code": "llm.away", "message": "No model."}))
    problem = {"rule": "budget.person.llm_tokens", "detail": "Try again in 5 minutes."}
    store.answers += [(404, b""), (429, problem), (200, refused)]
    said = []
    for _ in range(3):
        with pytest.raises(HostError) as caught:
            list(Upstream(store.url, "secret").answer({"messages": []}))
        said.append((caught.value.code, caught.value.message))
    assert "offers no model to this token (status 404)" in said[0][1]
    assert said[1:] == [
        ("budget.person.llm_tokens", "Try again in 5 minutes."),
        ("llm.away", "No model."),
    ]
    with pytest.raises(HostError, match="does not answer"):
        list(Upstream("http://127.0.0.1:9", "secret").answer({"messages": []}))


def test_a_port_that_is_taken_says_what_to_do(server: DevServer, terminal: Terminal) -> None:
    taken = terminal.run("dev", server.folder, "--port", str(server.server_port))
    assert (taken.exit_code, "--port 0" in taken.output) == (Exit.USAGE, True)
