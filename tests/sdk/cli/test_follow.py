"""`caravan status`, `logs` and `eval`: how releases, runs and samples do at a store."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from caravan.cli.output import Exit

from tests.sdk.cli.conftest import FakeStore, Terminal
from tests.sdk.cli.test_dev import stream_of

RUN = {
    "created_at": "2026-03-01T12:00:00+00:00",
    "version": "1.0.0",
    "action": "echo",
    "wall_ms": 31,
    "cpu_ms": 7,
    "generated_tokens": 3,
    "rule": None,
    "message": None,
    "traceback": None,
    "log": [],
}
LISTENER = '''"""Asks everybody."""

from dataclasses import dataclass

from caravan import App, Context, File

app = App()


@dataclass(frozen=True)
class Cup:
    """A cup."""

    size: int


@app.action("Listen")
def echo(ctx: Context, notes: File) -> str:
    """Read, fetch and ask."""
    sizes = [ctx.ask(Cup, "How large?").size for _ in range(2)]
    return f"{notes.name} {notes.text()} {ctx.http.get('https://example.org/a').text} {sizes}"
'''
SAMPLE = """[[case]]
action = "echo"
input = {}
files = { notes = "notes/tea.toml" }
answers = [{ size = 2 }, { size = 3 }]
web = { "https://example.org/a" = "salam" }
expect_contains = "tea.toml Mint salam [2, 3]"
"""
FAILED = {
    **RUN,
    "state": "failed",
    "rule": "app.error",
    "message": "The app stopped.",
    "traceback": "app.py, line 3\nValueError: tea",
    "log": [{"level": "warning", "text": "odd"}],
}


@pytest.fixture
def here(
    terminal: Terminal, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Terminal]:
    monkeypatch.setenv("CARAVAN_STORE", store.url)
    monkeypatch.setenv("CARAVAN_TOKEN", "secret")
    monkeypatch.setattr(sys.modules["caravan.cli.status"], "POLL_S", 0)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delitem(sys.modules, "app", raising=False)
    yield terminal
    sys.modules.pop("app", None)


def releases(*states: str) -> tuple[int, dict[str, Any]]:
    check = {"rule": "icon", "level": "error", "message": "It is not square.", "fix": "Crop it."}
    return 200, {
        "releases": [
            {"version": f"1.{9 - n}.0", "state": state, "verdict": "Nice.", "checks": [check]}
            for n, state in enumerate(states)
        ]
    }


def test_status_tells_the_newest_release_its_checks_and_the_reviewers_words(
    here: Terminal, store: FakeStore, echo: Path
) -> None:
    store.answers.append(releases("in_review", "published"))
    done = here.run("status", "--path", echo)
    assert done.exit_code == 0
    for text in ("✗ It is not square.", "→ Crop it.", "1.9.0 is in review", "wrote: Nice."):
        assert text in done.output
    assert store.asked[0][1] == "/api/v1/apps/tests.echo/releases"


def test_status_waits_for_the_verdict_and_a_refused_release_has_its_exit_code(
    here: Terminal, store: FakeStore
) -> None:
    store.answers += [releases("checking"), releases("checking"), releases("rejected")]
    done = here.run("status", "--app", "tests.echo", "--wait", "--json")
    assert (done.exit_code, '"state": "rejected"' in done.stdout) == (Exit.STORE_REFUSED, True)
    assert len(store.asked) == 3
    store.answers.append(releases("checking"))
    late = here.run("status", "--app", "tests.echo", "--wait", "--timeout", "0")
    assert late.exit_code == 0, "without time to wait it tells how it stands"
    store.answers.append(releases())
    none = here.run("status", "--app", "tests.echo")
    assert (none.exit_code, "caravan publish" in none.stderr) == (Exit.STORE_REFUSED, True)


def test_logs_show_how_runs_ended_and_what_the_app_said(here: Terminal, store: FakeStore) -> None:
    runs = {"runs": [FAILED, {**RUN, "state": "finished"}]}
    store.answers += [(200, runs), (200, runs), (200, {"runs": []})]
    done = here.run("logs", "--app", "tests.echo", "--limit", "5")
    lines = done.output.splitlines()
    assert lines[0] == "2026-03-01T12:00:00 1.0.0 echo finished  31 ms, 7 ms cpu, 3 tokens"
    assert lines[2:] == [
        "    warning: odd",
        "    The app stopped.  [app.error]",
        "    app.py, line 3",
        "    ValueError: tea",
    ]
    assert store.asked[0][1] == "/api/v1/apps/tests.echo/runs?limit=5"
    failed = here.json("logs", "--app", "tests.echo", "--failed")["runs"]
    assert [run["state"] for run in failed] == ["failed"]
    assert "no runs" in here.run("logs", "--app", "tests.echo").output


def test_samples_pass_or_say_what_is_missing(here: Terminal, store: FakeStore, echo: Path) -> None:
    store.media_type = "text/event-stream"
    store.answers += [(200, stream_of(("piece", {"text": "!"}), ("end", {"end": "stop"})))] * 2
    done = here.run("eval", "--path", echo)
    assert (done.exit_code, "1 of 1 samples passed." in done.output) == (0, True), done.output
    cases = (echo / "evals/first.toml").read_text()
    (echo / "evals/first.toml").write_text(cases.replace('contains = "salam"', 'contains = "tea"'))
    failed = here.run("eval", "--path", echo)
    assert failed.exit_code == Exit.APP_FAILED
    assert "✗ first 1: no “tea”" in failed.output
    assert "It said: salam!" in failed.output


def test_samples_that_cannot_be_tried_say_why(here: Terminal, store: FakeStore, echo: Path) -> None:
    store.answers.append((404, b""))
    away = here.run("eval", "--path", echo)
    assert (away.exit_code, "offers no model" in away.stderr) == (Exit.STORE_REFUSED, True)
    (echo / "evals/first.toml").write_text("[[case]]\n")
    bad = here.run("eval", "--path", echo)
    assert (bad.exit_code, "evals/first.toml:1" in bad.stderr) == (Exit.CHECKS_FAILED, True)
    (echo / "evals/first.toml").unlink()
    none = here.run("eval", "--path", echo)
    assert (none.exit_code, "no samples" in none.stderr) == (Exit.USAGE, True)


def test_samples_carry_files_answers_and_pages_of_the_web(here: Terminal, echo: Path) -> None:
    (echo / "app.py").write_text(LISTENER)
    manifest = (echo / "caravan.toml").read_text()
    asked = "".join(
        f'\n[[permission]]\nname = "{name}"\nreason = "Samples need it."\n'
        for name in ("files.read", "net.fetch")
    )
    (echo / "caravan.toml").write_text(manifest + asked)
    (echo / "evals/first.toml").write_text(SAMPLE)
    (echo / "evals/notes").mkdir()
    (echo / "evals/notes/tea.toml").write_text("Mint")
    done = here.run("eval", "--path", echo)
    assert (done.exit_code, "1 of 1 samples passed." in done.output) == (0, True), done.output
    assert "evals." not in here.run("check", echo).output
    (echo / "evals/notes/tea.toml").unlink()
    absent = here.run("eval", "--path", echo)
    assert (absent.exit_code, "tea.toml cannot be read" in absent.stderr) == (Exit.USAGE, True)


def test_an_app_that_breaks_in_a_sample_is_a_sample_that_failed(
    here: Terminal, store: FakeStore, echo: Path
) -> None:
    (echo / "app.py").write_text((echo / "app.py").read_text().replace("yield text", "1 / 0"))
    report = here.json("eval", "--path", echo)
    assert (report["passed"], report["failed"]) == (0, 1)
    assert report["cases"][0]["error"] == "ZeroDivisionError: division by zero"
