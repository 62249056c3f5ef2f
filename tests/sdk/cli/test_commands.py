"""Every command keeps the house rules: an example, --json, and ends that say what to do."""

import json
from pathlib import Path

import click
import pytest
from caravan.cli import COMMANDS, main, tokens
from caravan.cli.output import Exit

from tests.sdk.bundles import APP
from tests.sdk.cli.conftest import Terminal

COMMAND_NAMES = [str(command.name) for command in COMMANDS]
AWAY = ("--store", "http://127.0.0.1:9", "--token", "x")
# What goes wrong → with which code. `echo` is an app, `empty` a folder with nothing in it.
WRONG: dict[str, list[tuple[tuple[str, ...], Exit]]] = {
    "new": [((), Exit.USAGE), (("7",), Exit.USAGE), (("echo",), Exit.USAGE)],
    "dev": [(("empty",), Exit.USAGE), (("echo", "--port", "x"), Exit.USAGE)],
    "run": [
        (("echo", "--path", "empty"), Exit.USAGE),
        (("sing", "--path", "echo"), Exit.USAGE),
        (("echo", "--path", "broken"), Exit.APP_FAILED),
        (("echo", "text=x", "--path", "raises"), Exit.APP_FAILED),
    ],
    "test": [(("--path", "empty"), Exit.USAGE), (("--path", "echo"), Exit.USAGE)],
    "eval": [
        (("--path", "empty"), Exit.USAGE),
        (("--path", "echo"), Exit.USAGE),
        (("--path", "echo", *AWAY), Exit.NO_CONNECTION),
        (("--path", "broken", *AWAY), Exit.APP_FAILED),
    ],
    "replay": [
        (("nothing.jsonl",), Exit.USAGE),
        (("notes.txt",), Exit.USAGE),
        (("log.jsonl", "--path", "notes.txt"), Exit.CHECKS_FAILED),
    ],
    "check": [(("nowhere",), Exit.USAGE), (("empty",), Exit.CHECKS_FAILED)],
    "build": [
        (("empty",), Exit.USAGE),
        (("echo", "--out", "notes.txt/x.caravan"), Exit.USAGE),
        (("notes.txt",), Exit.USAGE),
    ],
    "login": [
        (("--store", "x", "--token", "y"), Exit.USAGE),
        (("--store", "http://127.0.0.1:9"), Exit.USAGE),
        (AWAY, Exit.NO_CONNECTION),
    ],
    "logout": [(("--store", "x"), Exit.USAGE)],
    "whoami": [((), Exit.USAGE), (AWAY, Exit.NO_CONNECTION)],
    "publish": [
        (("echo",), Exit.USAGE),
        (("empty",), Exit.CHECKS_FAILED),
        (("echo", *AWAY), Exit.NO_CONNECTION),
        (("echo", "--channel", "gamma"), Exit.USAGE),
    ],
    "status": [(("--path", "echo"), Exit.USAGE), (("--path", "echo", *AWAY), Exit.NO_CONNECTION)],
    "logs": [(("--app", "a.b"), Exit.USAGE), (("--app", "a.b", *AWAY), Exit.NO_CONNECTION)],
}
SITUATIONS = [
    (name, words, code)
    for name, each in WRONG.items()
    for words, code in [*each, (("--no-such-option",), Exit.USAGE)]
]


@pytest.fixture
def folders(terminal: Terminal, echo: Path) -> Terminal:
    (terminal.folder / "empty").mkdir()
    (terminal.folder / "notes.txt").write_text("tea")
    header = {"v": 1, "input": {}, "app": "tests.echo"}
    lines = [header, {"end": {"kind": "finished"}}]
    (terminal.folder / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for name, source in (("broken", "import nothing_like_it"), ("raises", "1 / 0")):
        folder = terminal.folder / name
        folder.mkdir()
        (folder / "caravan.toml").write_bytes((echo / "caravan.toml").read_bytes())
        (folder / "evals").mkdir()
        (folder / "evals/first.toml").write_text('[[case]]\naction = "echo"\ninput = {}\n')
        # Each module has its own name: `app` of another test may be imported already.
        text = APP.replace("yield text", f"yield {source}") if name == "raises" else source
        (folder / f"{name}.py").write_text(text)
        manifest = (folder / "caravan.toml").read_text()
        (folder / "caravan.toml").write_text(manifest.replace('"app"\napi', f'"{name}"\napi'))
    return terminal


@pytest.mark.parametrize("command", COMMANDS, ids=COMMAND_NAMES)
def test_every_command_has_an_example_and_json(command: click.Command) -> None:
    assert f"Example: caravan {command.name}" in (command.help or "")
    assert "--json" in {name for each in command.params for name in each.opts}
    for option in command.params:
        if isinstance(option, click.Option) and option.name not in {"path", "as_json"}:
            assert option.help, f"--{option.name} of {command.name} needs a help text"


def test_every_command_is_tried_in_what_goes_wrong() -> None:
    assert list(WRONG) == COMMAND_NAMES


@pytest.mark.parametrize(("name", "words", "code"), SITUATIONS)
def test_what_goes_wrong_has_its_code_a_sentence_and_what_to_do(
    folders: Terminal, name: str, words: tuple[str, ...], code: Exit
) -> None:
    # Nothing is there to be read: whoever asks for more would wait for ever.
    told = folders.run(name, *words, stdin="")
    assert (told.exit_code, type(told.exception)) == (code, SystemExit), told.output
    assert "Traceback" not in told.output
    spoken = folders.run(name, *words, "--json", stdin="")
    assert spoken.exit_code == code
    [line] = spoken.stdout.splitlines()
    said = json.loads(line)
    if "error" in said:
        assert all(said["error"][key] for key in ("rule", "message", "fix")), said
        assert said["error"]["message"].splitlines()[0] in told.stderr
        assert f"→ {said['error']['fix']}" in told.stderr
    else:
        wrong = [each for each in said["checks"] if each["level"] == "error"]
        assert wrong
        assert all(each["rule"] and each["message"] and each["fix"] for each in wrong)


def test_an_unknown_command_and_a_broken_file_of_tokens_say_what_to_do(folders: Terminal) -> None:
    unknown = folders.run("fly")
    assert (unknown.exit_code, " --help" in unknown.stderr) == (Exit.USAGE, True)
    tokens.file().parent.mkdir(parents=True, exist_ok=True)
    tokens.file().write_text("[]")
    broken = folders.run("whoami")
    assert (broken.exit_code, "Remove the file" in broken.stderr) == (Exit.USAGE, True)


def test_every_exit_code_is_in_the_help() -> None:
    codes = [int(code) for code in Exit]
    assert codes == sorted(set(codes)), "no two ends have the same code"
    for code in codes:
        assert f"{code} " in (main.help or "").partition("Exit codes:")[2]
