"""The walls: what a process behind them can still do, tried in real processes."""

import ctypes
import errno
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
from typing import Any

import pytest

from marketplace.sandbox import seccomp, walls
from tests.factories.sandbox import shared_runners

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


class Kernel:
    """A C library whose kernel refuses everything, with this error."""

    def __init__(self, error: int) -> None:
        self.error = error

    def __getattr__(self, _name: str) -> Callable[..., int]:
        def refuse(*_: object) -> int:
            ctypes.set_errno(self.error)
            return -1

        return refuse


@pytest.mark.parametrize(
    ("raise_wall", "error", "said"),
    [
        (walls._enter_landlock, errno.ENOSYS, "Landlock is not in this kernel"),
        (walls._enter_landlock, errno.EOPNOTSUPP, "Landlock is off"),
        (walls._leave_network, errno.EPERM, "the kernel refused (Operation not permitted)"),
        (walls._drop_capabilities, errno.EPERM, "the kernel refused (Operation not permitted)"),
        (seccomp.enter, errno.EINVAL, f"the kernel refused the filter (error {errno.EINVAL})"),
    ],
)
def test_a_kernel_that_lacks_a_wall_is_told_with_its_reason(
    raise_wall: Callable[[Any], str], error: int, said: str
) -> None:
    assert raise_wall(Kernel(error)) == said


def test_a_limit_that_cannot_be_set_is_told_and_the_others_stand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []

    def set_most(name: int, _pair: tuple[int, int]) -> None:
        tried.append(name)
        if name == resource.RLIMIT_NPROC:
            raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", set_most)
    assert walls._limit_resources(2**30) == "NPROC: current limit exceeds maximum limit"
    assert len(tried) == 6


def test_another_system_is_told_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.chdir(tmp_path)
    raised = walls.around_zygote(tmp_path)
    assert raised.keys() | {"rlimits", "seccomp"} == STATES.keys()
    assert set(raised.values()) == {"not available on darwin"}


def test_a_running_zygote_tells_each_of_its_walls() -> None:
    assert shared_runners().status().walls == STATES
