"""The peer: llama.cpp's own server, built from the very tree and with the flags of our engine.

Built alone: python benchmarks/support/peer.py. It is kept in the user's cache beside the wheels.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools import prepare  # noqa: E402  (the checkout is put on the path above)

ENGINE = prepare.REQUIREMENTS / "engine.txt"
BINARY = "llama-server"
# What differs from the wheel's build is only what of llama.cpp is built beside its libraries.
FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=ON",
    "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON",
    "-DCMAKE_INSTALL_RPATH=$ORIGIN",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_BUILD_SERVER=ON",
)
READY_S = 120


class NoPeer(Exception):
    """llama-server is not there or does not start. The message says why."""


def folder() -> Path:
    """Where the peer of these requirements and this machine is kept."""
    given = f"{prepare.GPU_FLAGS[prepare.chosen_gpu()]} {os.environ.get('CMAKE_ARGS', '')}"
    text = f"{ENGINE.read_text()}{given.strip()}{prepare.processor()}{FLAGS}"
    return prepare.CACHE / BINARY / hashlib.sha256(text.encode()).hexdigest()[:16]


def built() -> Path | None:
    """The peer's binary, if it was built."""
    binary = folder() / BINARY
    return binary if binary.exists() else None


def build() -> Path:
    """The peer's binary, built the first time: four minutes on two cores. Raises: NoPeer."""
    binary = built()
    if binary is not None:
        return binary
    for tool in ("cmake", "c++"):
        if shutil.which(tool) is None:
            raise NoPeer(f"Building llama-server needs {tool}: install it and try again.")
    prepare.say("building llama-server, the peer: about four minutes, once")
    with tempfile.TemporaryDirectory() as scratch:
        bin_folder = _compile(Path(scratch))
        # Staged beside its place, so that it appears there whole or not at all.
        staging = folder().with_name(f"{folder().name}.{os.getpid()}")
        staging.mkdir(parents=True)
        for library in bin_folder.glob("*.so*"):
            shutil.copy2(library, staging, follow_symlinks=False)
        shutil.copy2(bin_folder / BINARY, staging)
        staging.replace(folder())
    return folder() / BINARY


def _compile(scratch: Path) -> Path:
    download = ["-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
    download += ["--disable-pip-version-check", "--no-binary", "llama-cpp-python"]
    _run(scratch, sys.executable, *download, "-d", scratch, "-r", ENGINE)
    [archive] = scratch.glob("llama_cpp_python-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(scratch, filter="data")
    [tree] = scratch.glob("llama_cpp_python-*/vendor/llama.cpp")
    target = scratch / "build"
    own = [
        *prepare.GPU_FLAGS[prepare.chosen_gpu()].split(),
        *os.environ.get("CMAKE_ARGS", "").split(),
    ]
    _run(scratch, "cmake", "-S", tree, "-B", target, *FLAGS, *own)
    jobs = str(os.cpu_count() or 1)
    _run(scratch, "cmake", "--build", target, "--target", BINARY, "--parallel", jobs)
    return target / "bin"


def _run(scratch: Path, *command: str | Path) -> None:
    result = subprocess.run(
        [str(part) for part in command],
        cwd=scratch,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode:
        wrong = [line for line in result.stdout.splitlines() if "error" in line.lower()]
        last = (wrong or result.stdout.splitlines() or ["no output"])[-1].strip()
        raise NoPeer(f"llama-server could not be built: {last[:300]}")


@dataclass(frozen=True, slots=True)
class PeerProcess:
    """A llama-server that answers on a port of this machine."""

    process: subprocess.Popen[bytes]
    port: int

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


def run(model: Path, *more: str, context: int, sequences: int, threads: int) -> PeerProcess:
    """Start the peer, with its own defaults for everything else, and wait until it answers.

    Args:
        more: further options of llama-server's own.
        context: tokens of one sequence; llama-server is given that of all together.
    Raises: NoPeer when it was not built, ends, or does not answer in time.
    """
    binary = built()
    if binary is None:
        raise NoPeer("llama-server was not built; run: python benchmarks/support/peer.py")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--host", "127.0.0.1", "--port", port, "--no-webui", "--log-disable"]
    options += ["--model", model, "--ctx-size", context * sequences, "--parallel", sequences]
    options += ["--threads", threads, "--threads-batch", threads]
    process = subprocess.Popen(
        [str(part) for part in (binary, *options, *more)],
        # Our engine's threads wait without spinning; on a shared machine that helps both.
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peer = PeerProcess(process, port)
    deadline = time.monotonic() + READY_S
    while not _answers(port):
        if process.poll() is not None:
            raise NoPeer(f"llama-server ended with status {process.returncode}.")
        if time.monotonic() > deadline:
            peer.stop()
            raise NoPeer(f"llama-server was not ready after {READY_S} s.")
        time.sleep(0.05)
    return peer


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    try:
        print(build())
    except NoPeer as error:
        sys.exit(str(error))
