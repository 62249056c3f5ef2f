"""Builds the Python runtime once per SDK and machine, and finds it again by its content.

`python -m marketplace.sandbox.builder CACHE_DIR` builds it and prints the file's path.
"""

import ast
import fcntl
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from marketplace.kernel.errors import Unavailable
from marketplace.sandbox import runtime

SDK = Path(__file__).resolve().parents[2] / "sdk"
GUEST = "caravan_runtime.guest"
WORLD = "python"
MODULE = "marketplace.sandbox.builder"
# Compiling takes about 10 s of one core; a machine under load may need much longer.
COMPILE_S = 600

Say = Callable[[str], None]


class RuntimeNotBuilt(Unavailable):
    """The Python runtime could not be made or cannot be trusted."""


def ensure_runtime(cache_dir: Path, *, say: Say = print) -> Path:
    """The compiled runtime for the present SDK, built now if it is not there.

    Args:
        cache_dir: a directory that only this user may write; made where it is missing.
        say: hears what is being done, a line at a time.
    Raises: RuntimeNotBuilt.
    Effects: `<cache_dir>/runtime-<hash>.{wasm,cwasm,sha256}`; older ones are removed.
    """
    cache_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    _insist_on_ours(cache_dir)
    name = f"runtime-{content_hash()}"
    compiled = cache_dir / f"{name}.cwasm"
    if _is_intact(compiled):
        return compiled
    with (cache_dir / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_intact(compiled):
            _build(cache_dir, name, say)
    return compiled


def find_runtime(cache_dir: Path) -> Path | None:
    """The compiled runtime for the present SDK, or None where it has not been built."""
    compiled = cache_dir / f"runtime-{content_hash()}.cwasm"
    return compiled if _is_intact(compiled) else None


def content_hash() -> str:
    """A hash of everything that goes into the compiled file, its tools and the processor."""
    digest = hashlib.sha256()
    for part in (version("componentize-py"), version("wasmtime"), runtime.CONFIG_MARK):
        digest.update(part.encode() + b"\0")
    digest.update(f"{platform.system()} {platform.machine()}\0".encode())
    for inside, path in sorted(sources().items()):
        digest.update(inside.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def sources() -> dict[str, Path]:
    """The files of the guest: path inside the build → path here.

    Of the SDK only what `import caravan` reaches: a change of the developer's command line
    must not rebuild the runtime of every store.
    """
    room = SDK / "runtime"
    found = {str(path.relative_to(room)): path for path in room.glob("wit/*.wit")}
    found |= {str(path.relative_to(room)): path for path in room.glob("caravan_runtime/*.py")}
    waiting = ["caravan"]
    while waiting:
        module = waiting.pop()
        path = _module_path(module)
        if path is None or (inside := str(path.relative_to(SDK))) in found:
            continue
        found[inside] = path
        waiting += _imports(path)
    return found


def _module_path(module: str) -> Path | None:
    path = SDK.joinpath(*module.split("."))
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


def _imports(path: Path) -> list[str]:
    """The modules of the SDK that a file names in its imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(aliases):
                names += [alias.name for alias in aliases]
            case ast.ImportFrom(str(module), aliases, 0):
                names += [module, *(f"{module}.{alias.name}" for alias in aliases)]
    return [name for name in names if name.split(".")[0] == "caravan"]


def _build(cache_dir: Path, name: str, say: Say) -> None:
    say("Building the Python runtime of the sandbox; this happens once and takes about 20 s.")
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix="build-") as folder:
        stage = Path(folder)
        for inside, path in sources().items():
            (stage / "guest" / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, stage / "guest" / inside)
        component, compiled = stage / f"{name}.wasm", stage / f"{name}.cwasm"
        say("1/2 Python, its library and the SDK become one component …")
        guest = stage / "guest"
        tool = [sys.executable, "-c", "import componentize_py; componentize_py.script()"]
        world = ["-q", "-d", str(guest / "wit"), "-w", WORLD, "componentize", "--stub-wasi"]
        _run([*tool, *world, "-p", str(guest), GUEST, "-o", str(component)], stage)
        say("2/2 The component is compiled for this processor …")
        _run([sys.executable, "-m", MODULE, "--compile", str(component), str(compiled)], stage)
        digest = stage / f"{name}.sha256"
        digest.write_text(hashlib.sha256(compiled.read_bytes()).hexdigest())
        for old in cache_dir.glob("runtime-*"):
            old.unlink()
        # The digest comes last: without it the others are not believed.
        for made in (component, compiled, digest):
            made.chmod(0o600)
            made.rename(cache_dir / made.name)
    say("The Python runtime is ready.")


def _run(command: list[str], stage: Path) -> None:
    """Run a build step with nothing in its environment but the way to our own modules."""
    root = str(Path(__file__).resolve().parents[2])
    # componentize-py adds the site-packages it finds; an empty place keeps them out.
    environment = {"PYTHONPATH": root, "PATH": "/nonexistent", "TMPDIR": str(stage)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=COMPILE_S, check=False
    )
    if done.returncode != 0:
        raise RuntimeNotBuilt(
            "The Python runtime of the sandbox could not be built. The tool said:\n"
            + (done.stderr or done.stdout)[-4000:],
            rule="sandbox.build",
        )


def _insist_on_ours(folder: Path) -> None:
    """Native code is loaded from here: nobody else may be able to write it."""
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise RuntimeNotBuilt(
            f"{folder} belongs to another user. Choose a cache directory of your own.",
            rule="sandbox.cache",
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def _is_intact(compiled: Path) -> bool:
    """Whether the file is the one the builder wrote."""
    try:
        expected = compiled.with_suffix(".sha256").read_text()
        with compiled.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == expected
    except FileNotFoundError:
        return False


def main(arguments: list[str]) -> None:
    """Build into a directory, or, as a step of that, compile one component."""
    if arguments[:1] == ["--compile"]:
        runtime.compile_component(Path(arguments[1]), Path(arguments[2]))
        return
    say: Say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731, T201
    print(ensure_runtime(Path(arguments[0]), say=say))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
