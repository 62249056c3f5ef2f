"""The upgrade of the sandbox's runtime: what it pins, what it tests, and what a failure leaves."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tools.upgrade import GATE, LOCKED, PACKAGES, ROOT, WANTED, asked_for, pinned, pins, upgrade

IN = "# Why.\nclick\ncomponentize-py==1.0\nwasmtime==5.0.1\n"
TXT = "click==8.1 \\\n    --hash=a\ncomponentize-py==1.0 \\\n    --hash=b\nwasmtime==5.0.1 \\\n"
STEPS = ("compile", "prepare", "builder", "pytest")
GREEN = ["compile", "prepare", "builder", "builder", "pytest"]
OPEN = {"wasmtime": "", "componentize-py": ""}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    (tmp_path / WANTED).write_text(IN)
    (tmp_path / LOCKED).write_text(TXT)
    return tmp_path


class Machine:
    """Notes every command, and answers by what it has in it."""

    def __init__(self, **codes: int) -> None:
        self.codes = codes
        self.ran: list[str] = []
        self.seen: list[str] = []

    def __call__(self, command: Sequence[str], root: Path) -> int:
        name = next(each for each in STEPS if each in " ".join(command))
        self.ran.append(name)
        self.seen.append((root / WANTED).read_text())
        if name == "compile":
            newest = pins((root / WANTED).read_text()).get("wasmtime", "6.0.0")
            (root / LOCKED).write_text(TXT.replace("5.0.1", newest))
        return self.codes.get(name, 0)


def test_the_newest_is_locked_installed_and_kept_when_the_gate_is_green(root: Path) -> None:
    machine = Machine()
    assert upgrade(root, OPEN, machine)
    assert machine.ran == GREEN
    assert "\nwasmtime\n" in machine.seen[0]
    assert (root / WANTED).read_text() == IN.replace("5.0.1", "6.0.0")
    assert (root / LOCKED).read_text() == TXT.replace("5.0.1", "6.0.0")


def test_a_version_that_is_asked_for_is_the_one(root: Path) -> None:
    assert upgrade(root, asked_for(["wasmtime==5.5.0"]), Machine())
    assert pins((root / WANTED).read_text()) == {"componentize-py": "1.0", "wasmtime": "5.5.0"}


@pytest.mark.parametrize(
    ("broken", "ran"),
    [
        ("compile", ["compile", "prepare", "builder", "builder"]),
        ("prepare", ["compile", "prepare", "prepare"]),
        ("builder", ["compile", "prepare", "builder", "prepare", "builder"]),
        ("pytest", [*GREEN, "prepare", "builder", "builder"]),
    ],
)
def test_whatever_fails_leaves_all_as_it_was_and_installed(
    root: Path, broken: str, ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(**{broken: 1})
    assert not upgrade(root, OPEN, machine)
    assert machine.ran == ran
    assert machine.seen[-1] == (root / WANTED).read_text() == IN
    assert (root / LOCKED).read_text() == TXT
    is_stuck = "could not be made ready again" in capsys.readouterr().out
    assert is_stuck == (broken in {"prepare", "builder"})


def test_so_does_somebody_who_loses_patience(root: Path) -> None:
    machine = Machine()

    def interrupted(command: Sequence[str], root: Path) -> int:
        if "pytest" in command:
            raise KeyboardInterrupt
        return machine(command, root)

    with pytest.raises(KeyboardInterrupt):
        upgrade(root, OPEN, interrupted)
    assert ((root / WANTED).read_text(), (root / LOCKED).read_text()) == (IN, TXT)
    assert machine.ran[-3:] == ["prepare", "builder", "builder"]


@pytest.mark.parametrize(
    "wrong",
    [lambda: asked_for(["flask==3"]), lambda: pinned("click\n", {"wasmtime": ""})],
)
def test_nothing_else_is_upgraded(wrong: Callable[[], object]) -> None:
    with pytest.raises(SystemExit, match=r"caravan: .*\."):
        wrong()


def test_the_gate_and_the_pins_are_where_it_looks() -> None:
    assert all((ROOT / path).exists() for path in GATE)
    locked = pins((ROOT / LOCKED).read_text())
    wanted = pins((ROOT / WANTED).read_text())
    assert {name: wanted[name] for name in PACKAGES} == {name: locked[name] for name in PACKAGES}
