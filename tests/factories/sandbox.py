"""One zygote for the whole test session, small jobs, and a host that remembers."""

import atexit
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marketplace.sandbox.client import RunnerClient
from marketplace.sandbox.ports import Job, Limits, Refused

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERYTHING = frozenset({"llm.generate", "kv.user", "kv.app", "ads.show", "billing.entitlement"})
SMALL = Limits(
    wall_ms=20_000, cpu_ms=5_000, memory_bytes=64 * 2**20, output_bytes=64 * 1024, host_calls=500
)
HEAD = """\
from caravan import App, Context, Field, HostError
app = App()
@app.action("Go")
def go(ctx: Context):
"""


def runtime_cache() -> Path:
    """Where the built runtime is kept between test sessions of this user."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "caravan" / "test-runtime"


def start_zygote(folder: Path, **options: int) -> tuple[subprocess.Popen[bytes], RunnerClient]:
    """A zygote of its own, ready for runs."""
    socket = folder / "runners.sock"
    extra = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    module = [sys.executable, "-m", "marketplace.sandbox.process"]
    process = subprocess.Popen(
        [*module, "--socket", str(socket), "--cache-dir", str(runtime_cache()), *extra],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"CARAVAN_SECRET_FOR_TEST": "do-not-tell"},
    )
    client = RunnerClient(socket, runtime_cache())
    try:
        while not client.status().ready:
            assert process.poll() is None, "the zygote has ended at once; see its output above"
            time.sleep(0.02)
    except BaseException:
        # Also at Ctrl-C or a test's time limit: nobody else could end it.
        process.terminate()
        process.wait()
        raise
    return process, client


@functools.cache
def shared_runners() -> RunnerClient:
    """The session's zygote, ended with the session."""
    folder = tempfile.TemporaryDirectory()
    process, client = start_zygote(Path(folder.name), max_runners=4)

    def end() -> None:
        process.terminate()
        process.wait()
        folder.cleanup()

    atexit.register(end)
    return client


def make_job(body: str = "yield 'hello'", **given: Any) -> Job:
    """A job whose app does `body` in its action `go`."""
    source = HEAD + "".join(f"    {line}\n" for line in body.strip().splitlines())
    usual: dict[str, Any] = {
        "run_id": "run",
        "code": {"app.py": source.encode()},
        "entry": "app",
        "action": "go",
        "input_json": "{}",
        "seed": 1,
        "started_at": NOON,
        "grants": EVERYTHING,
        "limits": SMALL,
        "locale": "en",
    }
    return Job(**usual | given)


def limits(**given: int) -> Limits:
    """`SMALL` with some numbers changed."""
    return Limits(**{**vars(SMALL), **given})


class Host:
    """Answers by a table: op → value, or an exception to raise; keeps what was asked."""

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        self.answers = dict(answers or {})
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, op: str, payload: dict[str, Any]) -> Any:
        """Answer one call."""
        self.calls.append((op, payload))
        answer = self.answers.get(op)
        if isinstance(answer, BaseException):
            raise answer
        return answer(payload) if callable(answer) else answer

    @property
    def texts(self) -> list[str]:
        """What the app wrote, item by item."""
        return [p["text"] for op, p in self.calls if op == "output.write" and "text" in p]

    @property
    def logged(self) -> list[str]:
        """The lines of the developer's log."""
        return [p["text"] for op, p in self.calls if op == "log.write"]


FULL = Refused("kv.full", "The app's storage is full.")
