"""The local page: the store's own form, streamed runs, and following every save."""

import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from caravan.cli import bench as benches
from caravan.cli.bench import NativeBench, SandboxBench, Upstreams
from caravan.cli.devserver import DevServer
from caravan.cli.model import Upstream
from caravan.cli.output import Exit
from caravan.errors import HostError
from caravan.native import PRETENDED

from tests.factories.sandbox import runtime_cache
from tests.factories.serving import serving
from tests.sdk.bundles import APP, write_folder
from tests.sdk.cli.conftest import FakeStore, Terminal

SDK = Path(__file__).parents[3] / "sdk"
BOUNDARY = "edge"
Events = list[tuple[str, Any]]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> NativeBench:
    monkeypatch.setenv("PYTHONPATH", str(SDK))
    return NativeBench(Upstreams())


@pytest.fixture
def server(terminal: Terminal, bench: NativeBench) -> Iterator[DevServer]:
    server = DevServer(write_folder(terminal.folder / "echo"), 0, bench)
    with serving(server):
        yield server


def ask(
    server: DevServer, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes, str]:
    """Status, body and Location of one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection.request(method, path, body, {**kind, **headers})
    response = connection.getresponse()
    answer = (response.status, response.read(), response.headers.get("location") or "")
    connection.close()
    return answer


def form(files: dict[str, tuple[str, bytes]] | None = None, **texts: str) -> bytes:
    """A form as a browser sends it."""
    parts = [
        f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + text.encode()
        for name, text in texts.items()
    ]
    for name, (file, data) in (files or {}).items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
        parts.append(f"{head}Content-Type: text/plain\r\n\r\n".encode() + data)
    edge = f"--{BOUNDARY}".encode()
    return b"".join(edge + b"\r\n" + part + b"\r\n" for part in parts) + edge + b"--\r\n"


def run(
    server: DevServer, files: dict[str, tuple[str, bytes]] | None = None, **texts: str
) -> Events:
    """Send the form and follow the run to its end."""
    status, _, where = ask(server, "POST", "/runs", form(files, **texts))
    assert status == 303
    events = ask(server, "GET", f"/runs/{where.partition('run=')[2]}/events")[1].decode()
    blocks = [block.splitlines() for block in events.strip().split("\n\n")]
    return [
        (block[1].removeprefix("event: "), json.loads(block[2].removeprefix("data: ")))
        for block in blocks
    ]


GUESS = """
from dataclasses import dataclass
from typing import Annotated

from caravan import App, Context, Field

app = App()


@dataclass
class Guess:
    number: Annotated[int, Field(ge=1, le=9)]


@app.action("Guess")
def guess(ctx: Context, text: str):
    ctx.llm.complete(text)
    yield f"{ctx.ask(Guess, 'Which number?').number}, "
    yield f"{ctx.ask(Guess, 'And now?').number}."
"""


@contextmanager
def followed(server: DevServer, **texts: str) -> Iterator[tuple[str, Iterator[tuple[str, Any]]]]:
    """Begin a run; its address, and its events as they come."""
    where = ask(server, "POST", "/runs", form(**texts))[2]
    run = f"/runs/{where.partition('run=')[2]}"
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request("GET", f"{run}/events")
    response = connection.getresponse()
    try:
        yield run, live(response)
    finally:
        response.close()
        connection.close()


def live(lines: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    """Events, without the comments that keep the stream open."""
    name = ""
    for line in lines:
        head, _, value = line.decode().rstrip("\n").partition(": ")
        if head == "event":
            name = value
        elif head == "data":
            yield name, json.loads(value)


def reply(server: DevServer, run: str, **texts: str) -> tuple[int, str]:
    """Answer the form that a run waits for."""
    status, body, _ = ask(server, "POST", f"{run}/answers", form(**texts))
    return status, body.decode()


def text_of(events: Events) -> str:
    """All the text of a run."""
    return "".join(data["text"] for name, data in events if name == "text")


def test_the_page_has_the_stores_own_form_and_files(server: DevServer) -> None:
    status, page, _ = ask(server, "GET", "/")
    assert status == 200
    for part in (b'<h1 dir="auto">Echo</h1>', b'name="text"', b"plain Python", b"required"):
        assert part in page
    assert ask(server, "GET", "/static/js/index.js")[0] == 200
    assert ask(server, "GET", "/static/../marketplace/app.py")[0] == 404
    assert ask(server, "GET", "/dev.js")[0] == 200
    assert ask(server, "GET", "/icon")[1].startswith(b"<svg")
    assert ask(server, "GET", "/nowhere")[0] == 404


def test_a_run_streams_text_and_ends_with_its_budget(server: DevServer) -> None:
    events = run(server, text="salam")
    assert events[0] == ("text", {"text": "salam", "markdown": False})
    assert "This is a pretended answer." in text_of(events)
    names = [name for name, _ in events]
    assert names[-2:] == ["receipt", "done"]
    assert "llm.open" in events[-2][1]["html"]
    assert f"about {len(PRETENDED.split())} of 2,048 tokens" in events[-2][1]["html"]
    assert events[-1][1] == {"state": "finished"}
    assert b'value="salam"' in ask(server, "GET", "/?run=1")[1]
    again = ask(server, "GET", "/runs/1/events")[1]
    assert b"event: done" in again, "a run happens once; who comes back hears that it is over"
    assert b"event: text" not in again


def answered_to_the_end(server: DevServer) -> None:
    """A run asks twice, one answer does not fit, and it ends with both."""
    with followed(server, text="a") as (run, events):
        name, data = next(event for event in events if event[0] == "question")
        assert (name, data["number"], "Which number?" in data["html"]) == ("question", 1, True)
        assert f'action="{run}/answers"' in data["html"]
        assert 'name="number"' in data["html"]
        status, again = reply(server, run, **{"-number": "1", "number": "12"})
        assert (status, "must be 9 or less" in again, 'value="12"' in again) == (422, True, True)
        assert reply(server, run, **{"-number": "1", "number": "7"}) == (204, "")
        assert next(events) == ("question", {"number": 1, "html": ""})
        assert next(events) == ("text", {"text": "7, ", "markdown": False})
        assert next(events)[1]["number"] == 2
        # The first form again, from another tab: it is answered already.
        assert reply(server, run, **{"-number": "1", "number": "8"}) == (204, "")
        assert reply(server, run, **{"-number": "2", "number": "9"}) == (204, "")
        left = list(events)
    assert text_of(left) == "9."
    assert left[-1] == ("done", {"state": "finished"})
    assert f"about {len(PRETENDED.split())} of" in left[-2][1]["html"], "words that are not shown"


def test_a_form_in_the_middle_of_a_run_is_answered_on_the_page(server: DevServer) -> None:
    (server.folder / "app.py").write_text(GUESS)
    answered_to_the_end(server)
    assert reply(server, "/runs/99", **{"-number": "1"}) == (204, ""), "no such run"


def test_a_run_that_waits_for_an_answer_can_be_stopped_and_ends_with_the_next(
    server: DevServer,
) -> None:
    (server.folder / "app.py").write_text(GUESS)
    with followed(server, text="a") as (run, events):
        assert next(event for event in events if event[0] == "question")
        assert ask(server, "POST", f"{run}/stop")[0] == 204
        assert list(events)[-1] == ("done", {"state": "stopped"})
    with followed(server, text="a") as (_run, events):
        assert next(event for event in events if event[0] == "question")
        with followed(server, text="b") as (other, later):
            assert list(events)[-1] == ("done", {"state": "stopped"})
            assert next(event for event in later if event[0] == "question")
            ask(server, "POST", f"{other}/stop")
            assert list(later)[-1] == ("done", {"state": "stopped"})


def test_a_page_that_is_closed_ends_the_run_that_waits(
    server: DevServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benches, "QUIET_S", 0.02)
    (server.folder / "app.py").write_text(GUESS)
    with followed(server, text="a") as (_run, events):
        assert next(event for event in events if event[0] == "question")
    assert server.runs["1"].stop.wait(20)


def test_the_time_that_a_person_takes_does_not_count() -> None:
    ended = threading.Event()
    watchdog = benches._Watchdog(ended.set, 0.2)
    watchdog.pause()
    assert not ended.wait(0.3)
    watchdog.go_on()
    assert ended.wait(20)


def test_every_save_counts_at_once(server: DevServer) -> None:
    before = ask(server, "GET", "/version")[1]
    (server.folder / "app.py").write_text(APP.replace("yield text", "yield text.upper()"))
    os.utime(server.folder / "app.py")
    assert ask(server, "GET", "/version")[1] != before
    assert text_of(run(server, text="salam")).startswith("SALAM")


def test_the_form_is_drawn_again_with_what_was_typed(server: DevServer) -> None:
    (server.folder / "app.py").write_text(APP.replace("text: str", "text: str, tone: str = ''"))
    panel = ask(server, "POST", "/panel", form(text="half a thought"))[1]
    assert b"half a thought" in panel
    assert b'name="tone"' in panel


def test_a_broken_app_shows_its_place_and_a_broken_manifest_its_line(server: DevServer) -> None:
    (server.folder / "app.py").write_text(APP + "\nx = 1 / 0\n")
    page = ask(server, "GET", "/")[1].decode()
    assert "ZeroDivisionError" in page
    assert "caravan/cli" not in page
    (server.folder / "caravan.toml").write_text("[app]\n")
    assert "caravan.toml:1: " in ask(server, "GET", "/")[1].decode()


def test_wrong_input_is_told_beside_its_field(server: DevServer) -> None:
    status, page, _ = ask(server, "POST", "/runs", form(text=""))
    assert (status, b"Text is needed." in page) == (422, True)


def test_an_app_that_fails_tells_its_line(server: DevServer) -> None:
    (server.folder / "app.py").write_text(APP.replace("yield text", "raise ValueError('tea')"))
    events = run(server, text="a")
    assert "app.py" in text_of(events)
    assert ("failed", {"message": "tea"}) in events
    assert events[-1][1] == {"state": "failed"}


def test_settings_have_their_defaults_false_and_nought_too(server: DevServer) -> None:
    with (server.folder / "caravan.toml").open("a") as manifest:
        for name, kind, default in (("short", "boolean", "false"), ("rows", "integer", "0")):
            manifest.write(f'[[setting]]\nname = "{name}"\ntype = "{kind}"\nlabel = "{name} one"\n')
            manifest.write(f"default = {default}\n")
    (server.folder / "app.py").write_text(
        APP.replace("yield text", "yield str(dict(ctx.settings))")
    )
    assert "{'short': False, 'rows': 0}" in text_of(run(server, text="a"))


def test_an_app_that_prints_or_ends_the_process_breaks_nothing(server: DevServer) -> None:
    (server.folder / "app.py").write_text(APP.replace("yield text", "print('x'); yield text"))
    assert text_of(run(server, text="a")).startswith("a")
    (server.folder / "app.py").write_text(f"import os\n{APP}\nos._exit(1)\n")
    assert b"ended while it was imported" in ask(server, "GET", "/")[1]


def test_a_picked_file_and_a_table_reach_the_page(server: DevServer) -> None:
    (server.folder / "app.py").write_text(
        "from caravan import App, File, Table\napp = App()\n@app.action('Read')\n"
        "def read(notes: File):\n    yield Table([{'words': notes.text()}])\n"
    )
    manifest = server.folder / "caravan.toml"
    reason = '[[permission]]\nname = "files.read"\nreason = "Reads your notes."\n'
    manifest.write_text(manifest.read_text() + reason)
    events = run(server, {"notes": ("a.txt", b"from a file")})
    [html] = [data["html"] for name, data in events if name == "item"]
    assert "<table" in html
    assert "from a file" in html


def test_other_web_sites_cannot_reach_the_app(server: DevServer) -> None:
    assert ask(server, "GET", "/", host="evil.example")[0] == 403
    assert ask(server, "POST", "/runs", form(text="x"), host="evil.example:80")[0] == 403
    foreign = {"sec-fetch-site": "cross-site"}
    assert ask(server, "POST", "/runs", form(text="x"), **foreign)[0] == 403


def test_the_real_sandbox_runs_the_app_shows_its_budget_and_follows_a_save_in_a_second(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARAVAN_RUNTIME_CACHE", str(runtime_cache()))
    folder = write_folder(terminal.folder / "echo")
    bench = SandboxBench(Upstreams())
    server = DevServer(folder, 0, bench)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        events = run(server, text="salam")
        assert text_of(events).startswith("salamThis is a pretended answer.")
        assert "Memory" in events[-2][1]["html"]
        (folder / "app.py").write_text(APP.replace("yield text", "import socket; socket.socket()"))
        began = time.monotonic()
        assert b'name="text"' in ask(server, "POST", "/panel", form(text="a"))[1]
        assert time.monotonic() - began < 5, "far less in truth; this machine may be busy"
        failed = run(server, text="a")
        assert "PermissionError" in text_of(failed)
        (folder / "app.py").write_text(GUESS)
        answered_to_the_end(server)
        (folder / "app.py").write_text(APP + "\nx = 1 / 0\n")
        assert b"ZeroDivisionError" in ask(server, "GET", "/")[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        bench.close()


def stream_of(*events: tuple[str, Any]) -> bytes:
    """Server-sent events, as a store's model answers."""
    return "".join(
        f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n"
        for number, (name, data) in enumerate(events, start=1)
    ).encode()


def test_a_stores_model_answers(server: DevServer, store: FakeStore) -> None:
    server.bench = NativeBench(Upstreams(store.url, "secret"))
    store.media_type = "text/event-stream"
    pieces = [("piece", {"text": text}) for text in ("Sal", "am")]
    store.answers.append((200, stream_of(*pieces, ("end", {"end": "stop"}))))
    assert text_of(run(server, text="Greet")) == "GreetSalam"
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
