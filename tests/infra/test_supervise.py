"""The supervisor: what dies comes back, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marketplace.infra import supervise
from marketplace.infra.supervise import Supervisor

ROOT = Path(__file__).parent.parent.parent
# Writes its process id where the test looks, then waits to be ended.
PART = """
import os, pathlib, signal, sys
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
signal.pause()
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


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Path, threading.Event, threading.Thread]]:
    file, stop = tmp_path / "pid", threading.Event()
    supervisor = Supervisor({"part": (sys.executable, "-c", PART, str(file))})
    thread = threading.Thread(target=supervisor.run, args=(stop,))
    thread.start()
    wait_for(lambda: pid_in(file) > 0)
    yield file, stop, thread
    stop.set()
    thread.join()


def test_a_part_that_is_killed_comes_back(
    running: tuple[Path, threading.Event, threading.Thread],
) -> None:
    file, _, _ = running
    first = pid_in(file)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: pid_in(file) not in {0, first})
    assert is_alive(pid_in(file))


def test_stopping_ends_every_part(
    running: tuple[Path, threading.Event, threading.Thread],
) -> None:
    file, stop, thread = running
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert not is_alive(pid_in(file))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_parts_do_not_outlive_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    program = (
        "import sys, threading; from marketplace.infra.supervise import Supervisor; "
        f"Supervisor({{'part': (sys.executable, '-c', {PART!r}, {str(file)!r})}})"
        ".run(threading.Event())"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    wait_for(lambda: pid_in(file) > 0)
    supervisor.kill()
    supervisor.wait()
    wait_for(lambda: not is_alive(pid_in(file)))


def test_a_part_that_does_not_listen_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "GRACE_S", 0.2)
    file, stop = tmp_path / "pid", threading.Event()
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + PART.replace(
        "signal.pause()", "while True: signal.pause()"
    )
    supervisor = Supervisor({"part": (sys.executable, "-c", deaf, str(file))})
    thread = threading.Thread(target=supervisor.run, args=(stop,))
    thread.start()
    wait_for(lambda: pid_in(file) > 0)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert not is_alive(pid_in(file))
