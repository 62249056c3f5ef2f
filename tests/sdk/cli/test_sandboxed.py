"""The commands that use the store's real sandbox: an app's tests inside it, and replays."""

import json
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from caravan import App, Context, HostError, PaymentRequired, testing, wasm, withheld, workbench
from caravan.bundle import build, open_bundle
from caravan.cli.output import Exit
from caravan.errors import InvalidInput, UnknownAction
from caravan.native import load_app
from caravan.testing import Simulator
from caravan.wasm import Component

from marketplace.infra.db import Database
from marketplace.infra.egress import Egress, EgressSettings, Request, Response
from marketplace.kernel.ids import AccountId
from marketplace.runs.models import RunState
from marketplace.runs.uploads import Picked
from tests.factories.components import make_component
from tests.factories.runs import stage
from tests.factories.sandbox import runtime_cache, shared_runners
from tests.runs.test_asking import answering
from tests.sdk.bundles import MANIFEST, write_folder
from tests.sdk.cli.conftest import Terminal

PERMISSIONS = """
[[permission]]
name = "kv.user"
reason = "Counts how often."
"""
APP_WITH_ALL = """
import random, time
from caravan import App, Context, HostError

app = App()

@app.action("Echo")
def echo(ctx: Context, text: str, fail: str = ""):
    yield f"{ctx.kv.user.incr('runs')} {random.random()} {time.time()}\\n"
    try:
        ctx.kv.app.get("x")
    except HostError as refused:
        yield f"{refused.code} {time.time()}\\n"
    yield from ctx.llm.stream(text)
    if fail == "pay":
        ctx.require("pro")
    if fail == "raise":
        raise ValueError("out of tea")
"""
MANIFEST_TAIL = (
    PERMISSIONS
    + """
[[permission]]
name = "billing.entitlement"
reason = "Asks what was bought."

[[product]]
id = "pro"
kind = "one_time"
name = "Echo Pro"
price = "1.00"
currency = "USD"
unlocks = "feature"
"""
)


CURIOUS = """
import random, time
from dataclasses import dataclass
from caravan import App, Context, File, Form

app = App()

@dataclass
class Guest:
    name: str

@app.action("Go")
def go(ctx: Context, doc: File):
    guest = yield Form(Guest, "Who are you?")
    text = doc.text()
    page = ctx.http.get("http://example.org/")
    yield f"{guest.name} {text} {page.text} {random.random()} {time.time()}"
"""


class Site(Egress):
    """A web of one page."""

    def fetch(self, request: Request, **given: Any) -> Response:
        return Response(200, {"content-type": "text/plain"}, b"tea")


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARAVAN_RUNTIME_CACHE", str(runtime_cache()))


@pytest.fixture(scope="module", autouse=True)
def bench() -> Iterator[None]:
    """The shared workbench ends with these tests."""
    yield
    workbench.shared().close()
    workbench.shared.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = write_folder(tmp_path / "whole", {"app.py": APP_WITH_ALL})
    manifest = made / "caravan.toml"
    manifest.write_text(manifest.read_text() + MANIFEST_TAIL)
    return made


def record(folder: Path, log: Path) -> list[dict[str, Any]]:
    """Run the app once as a store would, and leave its audit log."""
    opened = open_bundle(build(folder))
    code, entry, limits = wasm.release_of(folder)
    header = {
        "v": 1,
        "run": "r",
        "app": "tests.echo",
        "version": "1.0.0",
        "bundle": opened.sha256,
        "action": "echo",
        "input": {"text": "salam"},
        "seed": 42,
        "started_at": "2026-03-01T12:00:00+00:00",
        "locale": "en",
        "grants": ["kv.user", "llm.generate"],
    }
    lines: list[dict[str, Any]] = [header]
    answers = {"kv.incr": [1], "llm.open": [0], "llm.next": [{"text": "hey"}, {"end": "stop"}]}

    def answer(op: str, payload: dict[str, Any]) -> workbench.Timed:
        given = answers[op].pop(0) if op in answers else None
        at_ms = len(lines) * 7
        line = {"n": len(lines), "op": op, "payload": payload, "answer": given, "at_ms": at_ms}
        lines.append(line)
        return workbench.Timed(given, at_ms)

    def told(line: dict[str, Any]) -> dict[str, int]:
        lines.append({**line, "at_ms": len(lines) * 7})
        return {"at_ms": lines[-1]["at_ms"]}

    job = workbench.WasmJob(
        code, entry, "echo", header["input"], frozenset(header["grants"]), limits, "en", 42,
        header["started_at"],
    )  # fmt: skip
    outcome = workbench.shared().run(job, answer, told)["outcome"]
    lines.append({"end": {"kind": outcome["kind"]}})
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return lines


def test_a_recorded_run_is_the_same_again_byte_for_byte(
    terminal: Terminal, folder: Path, tmp_path: Path
) -> None:
    log = tmp_path / "run.audit.jsonl"
    lines = record(folder, log)
    assert lines[3]["refused"]["code"] == "permission.kv.app"
    assert lines[-1] == {"end": {"kind": "finished"}}
    report = terminal.json("replay", log, "--path", folder)
    assert report == {
        "same": True,
        "same_bundle": True,
        "calls": len(lines) - 2,
        "output_sha256": report["output_sha256"],
        "difference": "",
    }
    assert "The same: 8 calls" in terminal.run("replay", log, "--path", folder).stdout


def test_a_run_with_a_file_a_form_and_a_web_page_is_the_same_again(
    terminal: Terminal, empty_database: Database, tmp_path: Path
) -> None:
    described = {"file": "0" * 31 + "1", "name": "a.txt", "media_type": "text/plain"}
    picked = Picked({**described, "size_bytes": 5}, BytesIO(b"leaf\n"))
    with stage(
        empty_database, tmp_path / "store", sandbox=shared_runners(), egress=Site(EgressSettings())
    ) as here:
        app = here.described(CURIOUS, ident="tests.echo", permissions=("files.read", "net.fetch"))
        run_id = here.queued(app, input={"doc": picked.value})
        person = AccountId(here.run(run_id).person_id)
        here.files.keep(person, run_id, [picked], most_bytes=99)
        here.executor.start(run_id, has_page=True)
        answering(here.questions, run_id, {"name": "Noor"}).join()
        here.wait(run_id)
        assert here.run(run_id).state is RunState.FINISHED
        assert here.run(run_id).output[0]["text"].startswith("Noor leaf\n tea 0.")
        log = here.audits.path(run_id)
    folder = write_folder(tmp_path / "curious", {"app.py": CURIOUS})
    report = terminal.json("replay", log, "--path", folder)
    assert (report["same"], report["calls"], report["difference"]) == (True, 4, "")
    log.write_text(log.read_text().replace("bGVhZgo=", "bGVhZj8="))
    report = terminal.json("replay", log, "--path", folder)
    assert report["difference"].startswith("Call 4: the app asks output.write")


def test_a_run_with_a_secret_input_is_replayed_by_who_knows_it(
    terminal: Terminal, folder: Path, tmp_path: Path
) -> None:
    log = tmp_path / "run.audit.jsonl"
    header, *lines = withheld.without(["salam"], record(folder, log))
    log.write_text("\n".join(map(json.dumps, [{**header, "withheld": ["text"]}, *lines])) + "\n")
    report = terminal.json("replay", log, "--path", folder, "--secret", "text=salam")
    assert (report["same"], report["difference"]) == (True, "")
    for secrets in ((), ("--secret", "other=salam")):
        done = terminal.run("replay", log, "--path", folder, *secrets)
        assert done.exit_code == Exit.USAGE
        assert "holds no secret inputs; this one left out: text." in done.stderr
        assert "--secret text=…" in done.stderr


def test_the_first_difference_is_told(terminal: Terminal, folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "run.audit.jsonl"
    lines = record(folder, log)
    lines[2]["payload"]["text"] = "1 something else"
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    done = terminal.run("replay", log, "--path", folder)
    assert done.exit_code == Exit.DIFFERS
    assert "Call 2: the app asks output.write" in done.stderr
    del lines[6:-1]
    lines[2]["payload"]["text"] = record(folder, log)[2]["payload"]["text"]
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    report = terminal.json("replay", log, "--path", folder)
    assert report["difference"] == (
        'Call 6: the app asks llm.next {"handle":0}, but the recorded run had ended.'
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not json", "is not the whole audit log"),
        ('{"v":2}\n{"end":{}}', "has the format 2"),
        ('{"v":1,"input_bytes":3}\n{"end":{}}', "sizes in place of contents"),
        ('{"v":1,"input":{},"app":"tests.other"}\n{"end":{}}', "is of tests.other"),
    ],
)
def test_a_log_that_cannot_be_replayed_is_refused(
    terminal: Terminal, folder: Path, text: str, sentence: str
) -> None:
    (terminal.folder / "log").write_text(text)
    done = terminal.run("replay", "log", "--path", folder)
    assert (done.exit_code, sentence in done.stderr) == (Exit.USAGE, True), done.stderr


def test_simulated_runs_happen_in_the_sandbox_and_end_alike(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delitem(sys.modules, "app", raising=False)
    app = load_app(folder, "app")
    testing.run_elsewhere(wasm.run_in_sandbox)
    try:
        store = Simulator(app, llm=["he", "y"], permissions={"kv.user", "llm.generate"})
        result = store.run("echo", text="a")
        assert result.text.startswith("1 ")
        assert "permission.kv.app" in result.text
        assert result.text.endswith("hey")
        assert result.host_calls[0].op == "kv.incr"
        assert store.kv == {("user", "runs"): 1}
        with pytest.raises(PaymentRequired) as unpaid:
            Simulator(app).run("echo", text="a", fail="pay")
        assert unpaid.value.product == "pro"
        with pytest.raises(ValueError, match="out of tea"):
            Simulator(app).run("echo", text="a", fail="raise")
        with pytest.raises(InvalidInput, match="Text is needed"):
            Simulator(app).run("echo")
        with pytest.raises(HostError, match="has not been granted"):
            Simulator(app, permissions=()).run("echo", text="a")
    finally:
        testing.run_elsewhere(None)
        del sys.modules["app"]


def test_an_app_in_another_language_is_simulated_and_run_like_any(
    terminal: Terminal, tmp_path: Path
) -> None:
    manifest = MANIFEST.replace('"python"\nentry = "app"', '"component"')
    folder = write_folder(
        tmp_path / "component",
        {"caravan.toml": manifest, "app.py": None, "component.wasm": make_component()},
    )
    app = Component(folder)
    assert list(app.actions) == ["go"]
    assert Simulator(app).run("go").text == "salaam"
    with pytest.raises(UnknownAction, match="it has: go"):
        Simulator(app).run("fly")
    with pytest.raises(InvalidInput):
        Simulator(app).run("go", more=1)
    assert terminal.run("run", "go", "--path", folder).output == "salaam\n"
    wrong = terminal.run("run", "fly", "--path", folder)
    assert (wrong.exit_code, "it has: go" in wrong.output) == (Exit.USAGE, True)


def test_an_app_without_a_folder_cannot_go_into_the_sandbox() -> None:
    app = App()

    @app.action("Go")
    def go(ctx: Context) -> str:
        return "gone"

    with pytest.raises(workbench.NoSandbox, match=r"caravan\.toml cannot be found"):
        wasm._folder_of(app)


def test_the_apps_own_tests_run_outside_and_inside(terminal: Terminal) -> None:
    terminal.run("new", "word-garden", "--maker", "amina")
    outside = terminal.json("test", "--path", "word-garden")
    inside = terminal.json("test", "--wasm", "--path", "word-garden")
    assert (outside["passed"], outside["wasm"], outside["failures"]) == (True, False, 0)
    assert (inside["passed"], inside["wasm"], inside["tests"]) == (True, True, outside["tests"])
    app = terminal.folder / "word-garden" / "app.py"
    app.write_text(app.read_text().replace("max_tokens=256", "max_tokens=1 / 0"))
    failed = terminal.run("test", "--wasm", "--json", "--path", "word-garden")
    assert failed.exit_code == Exit.APP_FAILED
    assert json.loads(failed.stdout)["passed"] is False


def test_what_a_test_needs_is_told(
    terminal: Terminal, echo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = terminal.run("test", "--path", echo)
    assert (none.exit_code, "has no tests" in none.stderr) == (Exit.USAGE, True)
    (echo / "tests").mkdir()
    monkeypatch.setattr("caravan.workbench.is_here", lambda: False)
    alone = terminal.run("test", "--wasm", "--path", echo)
    assert (alone.exit_code, "part of the store" in alone.stderr) == (Exit.NO_SANDBOX, True)
