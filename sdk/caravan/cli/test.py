"""`caravan test`: the app's own tests, outside or inside the real sandbox."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import click

import caravan
from caravan import workbench
from caravan.cli.output import Exit, Failure, json_option, say_json
from caravan.cli.project import absent, manifest_of

SDK = Path(caravan.__file__).parents[1]
COUNTS = ("tests", "failures", "errors", "skipped")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, metavar="[PYTEST OPTIONS]...")
@click.option(
    "--path", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path()
)
@click.option("--wasm", is_flag=True, help="Run the app in the store's real sandbox.")
@json_option
def test(*, words: tuple[str, ...], path: Path, wasm: bool, as_json: bool) -> None:
    """Run the app's tests with pytest; --wasm takes every simulated run into the real sandbox.

    Example: caravan test --wasm -k haiku
    """
    manifest_of(path)
    _insist_on_tools(path, wasm=wasm)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
        command += [*(["-p", "caravan.wasm"] if wasm else []), f"--junitxml={report}"]
        environment = {**os.environ, "PYTHONPATH": _python_path(), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command,
            cwd=path,
            env=environment,
            stdout=subprocess.PIPE if as_json else None,
            text=True,
            check=False,
        )
        counts = _counts(report)
    if as_json:
        click.echo(done.stdout, err=True)
        say_json({"passed": done.returncode == 0, "wasm": wasm, **counts})
    if done.returncode:
        click.get_current_context().exit(Exit.APP_FAILED)


def _insist_on_tools(path: Path, *, wasm: bool) -> None:
    if importlib.util.find_spec("pytest") is None:
        raise Failure(
            Exit.USAGE,
            "pytest is not installed beside this command.",
            rule="test.pytest",
            fix=f"{sys.executable} -m pip install pytest",
        )
    if not (path / "tests").is_dir():
        raise Failure(
            Exit.USAGE,
            "The app has no tests.",
            rule="test.none",
            fix="Write tests/test_app.py; `caravan new` shows how one looks.",
        )
    if wasm and not workbench.is_here():
        raise absent(workbench.NoSandbox(workbench.ABSENT))


def _python_path() -> str:
    return os.pathsep.join(filter(None, (".", str(SDK), os.environ.get("PYTHONPATH"))))


def _counts(report: Path) -> dict[str, int]:
    """How many tests there were and how they went; nothing where pytest could not begin."""
    if not report.is_file():
        return dict.fromkeys(COUNTS, 0)
    suite = ET.parse(report).find("testsuite")  # noqa: S314  (pytest has just written it)
    return {name: int(suite.get(name, "0")) if suite is not None else 0 for name in COUNTS}
