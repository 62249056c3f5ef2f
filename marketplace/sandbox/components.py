"""Components that people upload: compiled once a machine, kept by content, believed by digest."""

import fcntl
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from caravan.component import COMPONENT_FILE

from marketplace.sandbox import runtime
from marketplace.sandbox.ports import AppRefused, RunError

COMPILER = "marketplace.sandbox.compiler"
FOLDER = "components"
# Beside a release's component stands its sha256: no bundle can have a file of this name.
DIGEST_FILE = "component.sha256"
COMPILE_WALL_S = 300
# A compiled file has about three times the bytes of its component, which has 32 MiB at most.
MOST_COMPILED_BYTES = 256 * 2**20
# Beyond these the one that was used longest ago goes; it is compiled again when it is wanted.
MOST_KEPT = 64
COMPLAINT_BYTES = 4096


@dataclass(frozen=True)
class Component:
    """A release's component, whose bytes need not be hashed for every run.

    Args:
        code: the release's files: `component.wasm`, and its digest where it has been told.
    """

    cache_dir: Path
    code: Mapping[str, bytes]

    @property
    def digest(self) -> bytes:
        """The sha256 of the component, in hexadecimal."""
        told = self.code.get(DIGEST_FILE)
        return told or hashlib.sha256(self.code[COMPONENT_FILE]).hexdigest().encode()

    @cached_property
    def key(self) -> str:
        """The name of the compiled form: the content, the tools and the processor."""
        name = hashlib.sha256(self.digest)
        machine = f"{platform.system()} {platform.machine()}"
        for part in (version("wasmtime"), runtime.CONFIG_MARK, machine):
            name.update(b"\0" + part.encode())
        return name.hexdigest()[:32]

    def ensure(self) -> None:
        """Compile the component unless that has been done before.

        Raises: AppRefused with the rule it breaks.
        Effects: `<cache_dir>/components/<key>.cwasm`, whole or not at all; the oldest may go.
        """
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._path.exists():
            return
        # Two that want the same one at once would only take each other's time.
        with (folder / "compile.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._path.exists():
                _keep(self._path, _compiled(self.code[COMPONENT_FILE]))
                _make_room(folder)

    def open(self) -> int:
        """A descriptor of the compiled form, its bytes checked against the digest before them.

        Raises: AppRefused where it has to be compiled again and cannot.
        """
        self.ensure()
        descriptor = _open_intact(self._path)
        if descriptor is None:
            # A damaged file is not believed, and made again.
            self._path.unlink(missing_ok=True)
            self.ensure()
            descriptor = _open_intact(self._path)
        if descriptor is None:
            raise _refusal("component.damaged", "Its compiled form is damaged.")
        return descriptor

    @property
    def _path(self) -> Path:
        return self.cache_dir / FOLDER / f"{self.key}.cwasm"


def _open_intact(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        digest = file.read(hashlib.sha256().digest_size)
        is_intact = hashlib.file_digest(file, "sha256").digest() == digest
    if not is_intact:
        os.close(descriptor)
        return None
    os.utime(path)
    return descriptor


def read(descriptor: int) -> bytes:
    """The compiled code behind a descriptor of `Component.open`, which has checked it."""
    with os.fdopen(descriptor, "rb") as file:
        file.seek(hashlib.sha256().digest_size)
        return file.read(MOST_COMPILED_BYTES)


def _keep(target: Path, compiled: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(compiled).digest() + compiled)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _make_room(folder: Path) -> None:
    by_use = sorted(folder.glob("*.cwasm"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in by_use[MOST_KEPT:]:
        old.unlink(missing_ok=True)


def _compiled(component: bytes) -> bytes:
    """Compile in a process of its own, which has nothing, may little and ends afterwards."""
    root = str(Path(__file__).resolve().parents[2])
    with tempfile.TemporaryDirectory(prefix="caravan-compile-") as empty:
        Path(empty).chmod(0o755)
        environment = {"PYTHONPATH": root, "PATH": "/nonexistent"}
        try:
            done = subprocess.run(
                [sys.executable, "-m", COMPILER, empty],
                input=component,
                env=environment,
                capture_output=True,
                timeout=COMPILE_WALL_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _refusal("component.too-hard", "It takes too long to compile.") from None
    if done.returncode == 0:
        return done.stdout
    if done.returncode == REFUSED:
        said = json.loads(done.stderr[-COMPLAINT_BYTES:])
        raise _refusal(str(said["rule"]), str(said["message"]))
    # Killed at its limit of time or memory, or aborted by the compiler itself.
    raise _refusal("component.too-hard", "It needs more than may be spent on compiling an app.")


# What the compiler exits with when it has said why.
REFUSED = 5


def _refusal(rule: str, message: str) -> AppRefused:
    return AppRefused(RunError(rule, f"The component cannot be used. {message}"))
