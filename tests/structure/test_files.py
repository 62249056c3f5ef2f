"""The shape of the code: sizes, names, and where things may be imported."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("marketplace", "sdk", "plugins", "models", "benchmarks", "tools", "tests")
SOURCES = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
TOO_MANY_LINES = 400
VAGUE = {"utils", "util", "helpers", "common", "misc", "manager", "base"}

# Where a package may be imported, as beginnings of paths; nowhere else.
PLACES = {
    "flask": ("marketplace/web/", "marketplace/app.py", "marketplace/cli.py"),
    "wasmtime": ("marketplace/sandbox/runtime.py",),
    "llama_cpp": ("marketplace/inference/engine/",),
    "PIL": (
        "marketplace/inference/pictures_process.py",
        "marketplace/publishing/pictures_process.py",
    ),
    "stripe": ("marketplace/billing/stripe_gateway.py",),
    "httpx": (
        "marketplace/inference/additions.py",
        "marketplace/inference/downloads.py",
        "marketplace/inference/upstream/courier.py",
    ),
}
FLASK_NAMES = ("views", "forms", "stream")


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno


@pytest.mark.parametrize("file", SOURCES, ids=name)
def test_a_file_is_short_and_says_what_it_is(file: Path) -> None:
    text = file.read_text()
    assert text.count("\n") < TOO_MANY_LINES
    assert file.stem not in VAGUE
    assert not text or ast.get_docstring(ast.parse(text)), "a module begins with one line"


@pytest.mark.parametrize(
    "file", [f for f in SOURCES if name(f).startswith(("marketplace/", "sdk/caravan/"))], ids=name
)
def test_nothing_is_imported_inside_a_function(file: Path) -> None:
    hidden = [
        inner.lineno
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert hidden == []


@pytest.mark.parametrize(
    "file", [f for f in SOURCES if name(f).startswith("marketplace/")], ids=name
)
def test_packages_are_imported_only_in_their_place(file: Path) -> None:
    for module, line in imports(ast.parse(file.read_text())):
        package = module.partition(".")[0]
        allowed = PLACES.get(package)
        if allowed is None or name(file).startswith(allowed):
            continue
        assert package == "flask", f"{name(file)}:{line} imports {package}"
        assert file.stem.startswith(FLASK_NAMES), f"{name(file)}:{line} imports flask"
