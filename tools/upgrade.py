"""Upgrades what the sandbox runs on, and keeps it only if no hostile app gets further than before.

Usage: upgrade.py [wasmtime==51.0.0] [componentize-py==0.26.0]; one not named becomes the newest.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.factories.sandbox import runtime_cache

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("wasmtime", "componentize-py")
WANTED, LOCKED = Path("requirements/run.in"), Path("requirements/run.txt")
COMPILE = ("uv", "pip", "compile", "-q", "--generate-hashes", "--no-emit-index-url", "--no-header")
# Everything that a new compiler or a new Python in the sandbox could let through or break.
GATE = ("tests/hostile", "tests/sandbox", "tests/contract/test_sandbox.py")
# Runs a program of the environment in a folder; its exit code.
Run = Callable[[Sequence[str], Path], int]


def say(text: str) -> None:
    """One line for the person who waits."""
    print(f"caravan: {text}", flush=True)


def run(command: Sequence[str], root: Path) -> int:
    """A command of this checkout's environment."""
    program = root / ".venv" / "bin" / command[0]
    return subprocess.run([str(program), *command[1:]], cwd=root, check=False).returncode


def pins(text: str) -> dict[str, str]:
    """Version by package, of a requirements file."""
    return dict(re.findall(r"^([\w-]+)==([\w.]+)", text, re.MULTILINE))


def pinned(text: str, versions: dict[str, str]) -> str:
    """The requirements with these packages at these versions; an empty version leaves it open."""
    for name, version in versions.items():
        line = f"{name}=={version}" if version else name
        text, found = re.subn(rf"^{name}\b.*$", line, text, flags=re.MULTILINE)
        if not found:
            raise SystemExit(f"caravan: {WANTED} does not name {name}.")
    return text


def asked_for(arguments: Sequence[str]) -> dict[str, str]:
    """The versions on the command line, and an open one for what is not there."""
    given = dict(each.partition("==")[::2] for each in arguments)
    if strangers := sorted(given.keys() - set(PACKAGES)):
        raise SystemExit(f"caravan: this upgrades {' and '.join(PACKAGES)}, not {strangers[0]}.")
    return {name: given.get(name, "") for name in PACKAGES}


def lock(root: Path, versions: dict[str, str], run: Run) -> bool:
    """Pin the versions and lock them by their hashes; what else is locked stays as it is."""
    wanted, locked = root / WANTED, root / LOCKED
    wanted.write_text(pinned(wanted.read_text(), versions))
    fresh = [f"--upgrade-package={name}" for name in PACKAGES]
    if run([*COMPILE, str(WANTED), "-o", str(LOCKED), *fresh], root):
        return False
    found = pins(locked.read_text())
    wanted.write_text(pinned(wanted.read_text(), {name: found[name] for name in PACKAGES}))
    return True


def install(root: Path, run: Run) -> bool:
    """Make the environment what the lock says."""
    return run(["python", "tools/prepare.py", "check"], root) == 0


def build(root: Path, run: Run) -> bool:
    """Build the runtime, which on a busy machine takes longer than one test may.

    It is kept twice: for the tests of the sandbox, and for whole stores such as the gate's.
    """
    builder = ("python", "-m", "marketplace.sandbox.builder")
    caches = (runtime_cache(), runtime_cache().parent)
    return all(run([*builder, str(cache)], root) == 0 for cache in caches)


def upgrade(root: Path, versions: dict[str, str], run: Run) -> bool:
    """Lock, install, build and test; on any failure all is as it was. Returns: whether it stays.

    Compiled runtimes and components are kept by names that hold the versions, so nothing of the old
    ones is ever loaded by the new.
    """
    before = {path: (root / path).read_bytes() for path in (WANTED, LOCKED)}
    old = pins(before[LOCKED].decode())
    is_good = False
    try:
        if lock(root, versions, run) and install(root, run):
            new = pins((root / LOCKED).read_text())
            for name in PACKAGES:
                say(f"{name} {old[name]} → {new[name]}")
            gate = ["python", "-m", "pytest", "-q", "-x", *GATE]
            is_good = build(root, run) and run(gate, root) == 0
    finally:
        if not is_good:
            say("not good; the versions before it are put back")
            for path, data in before.items():
                (root / path).write_bytes(data)
            # Building the new runtime removed the old one, for which the next start would wait.
            if not (install(root, run) and build(root, run)):
                say("they could not be made ready again: run `make run` when that is mended")
    return is_good


def main() -> None:
    """Upgrade as the command line says."""
    if not upgrade(ROOT, asked_for(sys.argv[1:]), run):
        raise SystemExit(1)
    say("the escape suite is green; commit requirements/run.in and requirements/run.txt")


if __name__ == "__main__":
    main()
