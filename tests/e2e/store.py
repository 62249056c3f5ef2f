"""A real store in processes of its own, as its operator starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
OPEN_TIMEOUT_S = 180
LINK = re.compile(r"(http://\S+/accounts/setup/\S+)")


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Store:
    """`marketplace serve` on a data folder of its own."""

    data_dir: Path
    extra_environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    output: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    _reader: threading.Thread = field(default_factory=threading.Thread)
    _open: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def setup_link(self) -> str:
        """The one-time link that was printed."""
        found = LINK.search("".join(self.output))
        assert found, "".join(self.output)
        return found[1]

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "CARAVAN_DATA_DIR": str(self.data_dir),
            "CARAVAN_WEB__PUBLIC_URL": self.url,
            # The samples of apps would compute beside what a walk waits for.
            "CARAVAN_RUNS__MEASURES": "false",
            "PYTHONUNBUFFERED": "1",
            **self.extra_environment,
        }

    def start(self) -> "Store":
        """Start it and wait until it says that it is open."""
        self._open.clear()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "marketplace", "serve", "--port", str(self.port)],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._open.wait(OPEN_TIMEOUT_S), "".join(self.output)
        return self

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self.output.append(line)
                if "closes it" in line:
                    self._open.set()
        self._open.set()

    def stop(self) -> int:
        """Ctrl-C, and the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(30)
        self._reader.join(10)
        return status

    def die(self) -> None:
        """End the supervisor with SIGKILL, and wait until its last part has followed."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self._reader.join(20)
        assert not self._reader.is_alive(), "A part has outlived the store."

    def pids(self, part: str) -> list[int]:
        """The processes of one part of the store: engine, runners, worker or web."""
        assert self.process is not None
        mark = {
            "engine": "marketplace.inference.process",
            "runners": "marketplace.sandbox.process",
            "worker": "caravan worker",
            "web": "caravan web",
        }[part]
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                command = (folder / "cmdline").read_text() + (folder / "comm").read_text()
                environment = (folder / "environ").read_text()
            except (OSError, UnicodeDecodeError):
                continue
            ours = (
                f"CARAVAN_DATA_DIR={self.data_dir}\0" in environment
                or str(self.data_dir) in command
            )
            if mark in command and ours:
                found.append(int(folder.name))
        return sorted(found)
