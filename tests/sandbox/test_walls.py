"""The walls: what a process behind them can still do, tried in real processes."""

import ctypes
import os
import platform
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from marketplace.sandbox import seccomp, walls

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")

STATES = walls.features()


def behind(tmp_path: Path, attempt: Callable[[], None]) -> str:
    """What an attempt ends with behind all the walls: an error's name, or `done`."""
    used = walls.address_meter()()

    def act() -> dict[str, str]:
        walls.around_zygote(tmp_path)
        walls.around_runner(used)
        try:
            attempt()
        except BaseException as error:  # noqa: BLE001
            return {"ended": type(error).__name__}
        return {"ended": "done"}

    return walls.told_by_child(act).get("ended", "killed")


def start_thread() -> None:
    threading.Thread(target=print).start()


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: os.open("/etc/passwd", os.O_RDONLY),
        lambda: list(Path("/").iterdir()),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        os.fork,
        start_thread,
        lambda: os.execv("/bin/true", ["true"]),
        lambda: os.kill(os.getppid(), signal.SIGTERM),
        lambda: os.setuid(0),
        lambda: os.memfd_create("code"),
        lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)),
    ],
    ids="file list tcp unix fork thread exec kill setuid memfd rlimit".split(),
)
def test_a_way_out_is_closed(tmp_path: Path, attempt: Callable[[], None]) -> None:
    assert behind(tmp_path, attempt) not in {"done", "killed"}


def test_code_cannot_be_made_at_run_time(tmp_path: Path) -> None:
    libc = walls.libc()
    libc.mmap.restype = ctypes.c_void_p

    def map_code() -> None:
        # Private and anonymous; reading, writing and executing.
        found = libc.mmap(None, 4096, 7, 0x22, -1, 0)
        if found in {None, ctypes.c_void_p(-1).value}:
            raise PermissionError

    assert behind(tmp_path, map_code) == "PermissionError"


def test_the_cpu_limit_ends_the_process() -> None:
    pid = os.fork()
    if pid == 0:
        walls.limit_cpu(30)
        while True:
            pass
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) in {signal.SIGPROF, signal.SIGXCPU}


def test_features_names_every_wall_and_its_state() -> None:
    assert STATES.keys() >= {"netns", "empty_root", "uid", "no_new_privs", "landlock", "seccomp"}
    assert all(STATES.values())
    assert STATES["seccomp"] == STATES["no_new_privs"] == STATES["rlimits"] == walls.UP


@pytest.mark.parametrize("machine", sorted(seccomp.NUMBERS))
def test_the_filter_is_whole_instructions_and_ends_in_a_refusal(machine: str) -> None:
    program = seccomp.program(machine)
    assert len(program) % 8 == 0
    assert struct.unpack("=HBBI", program[-8:]) == (0x06, 0, 0, seccomp.FAIL)
    # A jump counts in one byte and never leaves the program.
    steps = list(struct.iter_unpack("=HBBI", program))
    for at, (_, if_true, if_false, _) in enumerate(steps):
        assert at + 1 + max(if_true, if_false) <= len(steps)


def test_an_unknown_machine_is_said_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "sparc")
    assert "sparc" in seccomp.enter(walls.libc())


def test_the_module_prints_what_stands_as_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "marketplace.sandbox.walls"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        check=True,
    )
    assert done.stdout.startswith(b"{")
