"""The commands that need no store: new, check, build, run, and how they speak."""

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from caravan.cli.new import slug_of
from caravan.cli.output import Exit, Failure

from tests.sdk.bundles import APP, MANIFEST, write_folder
from tests.sdk.cli.conftest import Terminal
from tests.sdk.own_tests import run_own_tests


def test_a_new_app_passes_every_check_and_its_own_tests(terminal: Terminal) -> None:
    made = terminal.run("new", "Word Garden", "--maker", "Amina")
    assert "cd word-garden" in made.output
    checked = terminal.json("check", "word-garden")
    assert checked["publishable"]
    assert {each["level"] for each in checked["checks"]} == {"pass"}
    folder = terminal.folder / "word-garden"
    assert 'id = "amina.word-garden"' in (folder / "caravan.toml").read_text()
    assert (folder / ".gitignore").exists()
    assert "2 passed" in run_own_tests(folder)


@pytest.mark.parametrize("template", ["text", "chat", "table", "vision"])
def test_every_template_passes_every_check_and_its_own_tests(
    terminal: Terminal, template: str
) -> None:
    folder = terminal.json("new", "word-garden", "--maker", "a-b", "--template", template)["folder"]
    found = terminal.json("check", folder)
    assert found["publishable"] is True
    wrong = [each for each in found["checks"] if each["level"] != "pass"]
    assert [each["rule"] for each in wrong if each["rule"] != "evals.none"] == []
    ran = terminal.json("test", "--path", folder)
    assert (ran["passed"], ran["tests"] > 0) == (True, True)
    once, again = (terminal.json("build", folder, "--out", out) for out in ("a", "b"))
    assert Path(once["file"]).read_bytes() == Path(again["file"]).read_bytes()


def test_a_javascript_app_brings_the_world_and_says_what_to_build(terminal: Terminal) -> None:
    made = terminal.run("new", "word-garden", "--maker", "a-b", "--template", "javascript")
    assert "npm install && npm run build" in made.output
    folder = terminal.folder / "word-garden"
    assert "world app {" in (folder / "build/caravan-app.wit").read_text()
    assert "$schema" in (folder / "app.js").read_text()
    errors = [e["rule"] for e in terminal.json("check", folder)["checks"] if e["level"] == "error"]
    assert errors == ["component.missing"]


def test_a_new_app_never_overwrites_a_folder(terminal: Terminal, echo: Path) -> None:
    again = terminal.run("new", "echo")
    assert (again.exit_code, "echo is there already" in again.output) == (Exit.USAGE, True)


@pytest.mark.parametrize(
    ("text", "slug"), [("Word Garden!", "word-garden"), ("a" * 60, "a" * 40), ("Échos", "chos")]
)
def test_a_name_becomes_a_slug(text: str, slug: str) -> None:
    assert slug_of(text) == slug


@pytest.mark.parametrize("text", ["7", "حديقة", "-", "x"])
def test_a_name_without_latin_letters_says_what_to_do(text: str) -> None:
    with pytest.raises(Failure, match="cannot become an id"):
        slug_of(text)


def test_check_names_file_line_rule_and_fix(terminal: Terminal) -> None:
    bad = {"caravan.toml": MANIFEST.replace("summary", "sumary"), "app.py": APP}
    write_folder(terminal.folder / "bad", {**bad})
    told = terminal.run("check", "bad")
    assert told.exit_code == Exit.CHECKS_FAILED
    assert (
        "✗ caravan.toml:5: “sumary” is not a key in [app].  [manifest.unknown-key]" in told.output
    )
    assert "→ Did you mean “summary”?" in told.output
    assert "Not ready: 2 errors, 0 warnings." in told.output


def test_check_reads_a_built_bundle_too(terminal: Terminal, echo: Path) -> None:
    terminal.run("build", echo)
    assert terminal.run("check", "tests.echo-1.0.0.caravan").exit_code == 0
    (terminal.folder / "broken.caravan").write_bytes(b"PK")
    assert terminal.run("check", "broken.caravan").exit_code == Exit.CHECKS_FAILED


def test_two_builds_are_equal_bytes(terminal: Terminal, echo: Path) -> None:
    first = terminal.json("build", echo, "--out", "a")
    second = terminal.json("build", echo, "--out", "b.caravan")
    assert first["file"] == "a/tests.echo-1.0.0.caravan"
    assert first["sha256"] == second["sha256"]
    assert Path(first["file"]).read_bytes() == Path("b.caravan").read_bytes()
    with zipfile.ZipFile("b.caravan") as archive:
        assert "caravan.lock" in archive.namelist()


def test_build_refuses_what_a_store_would(terminal: Terminal, echo: Path) -> None:
    (echo / "lib.so").write_bytes(b"x")
    refused = terminal.run("build", echo)
    assert refused.exit_code == Exit.CHECKS_FAILED
    assert "lib.so is of a kind that apps cannot have." in refused.output
    assert terminal.run("build", terminal.folder).exit_code == Exit.USAGE


@pytest.fixture
def garden(terminal: Terminal) -> Path:
    write_folder(terminal.folder / "echo", {"app.py": GARDEN})
    return terminal.folder / "echo"


GARDEN = """
from caravan import App, Context, Json, Slot

app = App()

@app.action("Grow")
def grow(ctx: Context, seed: str, rows: int = 1, wet: bool = False):
    yield f"{seed}{rows}{wet} "
    yield Json({"rows": rows})
    yield from ctx.llm.stream(seed)
    yield Slot("end")

@app.action("Keep")
def keep(ctx: Context):
    ctx.kv.user.set("a", 1)
"""


@pytest.fixture(autouse=True)
def fresh_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`caravan run` imports the app into this process; the next test has another `app`."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "app", raising=False)
    yield
    sys.modules.pop("app", None)


def test_run_reads_values_by_the_schema_and_shows_the_result(
    terminal: Terminal, garden: Path
) -> None:
    words = ("run", "grow", "seed=7", "rows=3", "wet=yes", "--answer", "Tall.", "--path", garden)
    assert terminal.run(*words).output == '73True {"rows": 3}\nTall.\n[advertisement: end]\n\n'


TRAVEL = """
from dataclasses import dataclass
from caravan import App, Chart, File, Image, Table

app = App()

@dataclass
class Stop:
    city: str
    nights: int = 1

@app.action("Plan")
def plan(leader: Stop, stops: list[Stop], notes: File):
    yield Table([leader, *stops, Stop(notes.text(), notes.size_bytes)])
    yield Chart(["a"], {"Rain": [None]})
    yield Image(b"GIF8", "A tent")
"""


def test_run_reads_groups_rows_and_files_and_shows_tables(terminal: Terminal) -> None:
    folder = write_folder(terminal.folder / "echo", {"app.py": TRAVEL})
    manifest = folder / "caravan.toml"
    manifest.write_text(
        manifest.read_text() + '[[permission]]\nname = "files.read"\nreason = "Reads your notes."\n'
    )
    (terminal.folder / "note.txt").write_text("hi")
    words = ("run", "plan", "leader.city=Fes", "stops.0.city=Salé", "stops.0.nights=3")
    done = terminal.run(*words, f"notes=@{terminal.folder}/note.txt", "--path", folder)
    assert done.output == (
        "\nCity  Nights\nFes   1\nSalé  3\nhi    2\n\n   Rain\na  —\n\n[picture: A tent]\n\n"
    )
    gone = terminal.run(*words, "notes=@nowhere.txt", "--path", folder)
    assert (gone.exit_code, "cannot be read" in gone.stderr) == (Exit.USAGE, True)


def test_run_tells_programs_what_was_asked_of_the_store(terminal: Terminal, garden: Path) -> None:
    result = terminal.json("run", "grow", "seed=x", "--path", garden, "--answer", "ok")
    assert result["text"] == "x1False ok"
    assert [call["op"] for call in result["host_calls"]] == ["llm.open", "llm.next", "llm.next"]


@pytest.mark.parametrize(
    ("words", "code", "rule"),
    [
        (("grow", "rows=x", "seed=a"), Exit.USAGE, "input.invalid"),
        (("sing",), Exit.USAGE, "input.action"),
        (("grow", "seed"), Exit.USAGE, "run.input"),
        (("keep",), Exit.APP_FAILED, "permission.kv.user"),
    ],
)
def test_run_ends_with_a_code_and_a_rule(
    terminal: Terminal, garden: Path, words: tuple[str, ...], code: Exit, rule: str
) -> None:
    ended = terminal.run("run", *words, "--path", garden, "--json")
    assert ended.exit_code == code
    assert json.loads(ended.stdout)["error"]["rule"] == rule


ASKING = """
from dataclasses import dataclass
from caravan import App, Context, Form

app = App()


@dataclass
class Guess:
    number: int


@app.action("Guess")
def guess(ctx: Context):
    shown = dict(ctx.settings)
    found = yield Form(Guess, "Which number?")
    yield f"{found.number} {shown}"
"""
SHORT = """
[[setting]]
name = "short"
type = "boolean"
label = "Short"
default = false
"""


def test_a_form_in_the_middle_of_a_run_has_its_reply_and_settings_their_defaults(
    terminal: Terminal,
) -> None:
    folder = write_folder(
        terminal.folder / "asks", {"app.py": ASKING, "caravan.toml": MANIFEST + SHORT}
    )
    words = ("run", "guess", "--path", folder)
    assert terminal.json(*words, "--reply", '{"number": 7}')["text"] == "7 {'short': False}"
    assert terminal.json(*words, "--reply", "{}")["error"]["rule"] == "form.answer"
    assert terminal.json(*words, "--reply", "seven")["error"]["rule"] == "run.reply"
    assert terminal.json(*words)["error"]["rule"] == "form.no-page"
