"""The supervisor: what dies comes back, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
# Writes its process id where the test looks, then waits to be ended.
PART = """
import os, pathlib, signal, sys
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
signal.pause()
"""
# Keeps one part, a command or a function, until it is told to stop.
SUPERVISOR = f"""
import signal, sys, threading
from marketplace.infra import supervise
supervise.GRACE_S = 0.5
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
program = {PART!r}
if sys.argv[2] == "deaf":
    program = program.replace("signal.pause()", "signal.signal(15, signal.SIG_IGN)")
    program += "while True: signal.pause()"
part = (sys.executable, "-c", program, sys.argv[1])
if sys.argv[2] == "function":
    def part():
        exec(program)
supervise.Supervisor({{"part": part}}).run(stop)
"""


def wait_for(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < deadline, "it did not happen within ten seconds"
        time.sleep(0.02)


def pid_in(file: Path) -> int:
    text = file.read_text() if file.exists() else ""
    return int(text) if text else 0


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def supervisor(file: Path, kind: str) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-c", SUPERVISOR, str(file), kind]
    process = subprocess.Popen(program, cwd=ROOT)
    wait_for(lambda: pid_in(file) > 0)
    return process


@pytest.fixture(params=["command", "function"])
def running(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    file = tmp_path / "pid"
    process = supervisor(file, request.param)
    yield file, process
    process.terminate()
    process.wait(10)


def test_a_part_that_is_killed_comes_back(running: tuple[Path, subprocess.Popen[bytes]]) -> None:
    file, _ = running
    first = pid_in(file)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: pid_in(file) not in {0, first})
    assert is_alive(pid_in(file))


def test_stopping_ends_every_part(running: tuple[Path, subprocess.Popen[bytes]]) -> None:
    file, process = running
    process.terminate()
    assert process.wait(10) == 0
    assert not is_alive(pid_in(file))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_parts_do_not_outlive_a_supervisor_that_was_killed(
    running: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    file, process = running
    process.kill()
    process.wait()
    wait_for(lambda: not is_alive(pid_in(file)))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names processes so")
def test_a_forked_part_bears_its_name(tmp_path: Path) -> None:
    process = supervisor(tmp_path / "pid", "function")
    name = Path(f"/proc/{pid_in(tmp_path / 'pid')}/comm").read_text()
    process.terminate()
    assert (name, process.wait(10)) == ("caravan part\n", 0)


def test_a_part_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    process = supervisor(file, "deaf")
    process.terminate()
    assert process.wait(10) == 0
    assert not is_alive(pid_in(file))
