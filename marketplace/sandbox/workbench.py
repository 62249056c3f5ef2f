"""The real sandbox on a developer's machine: `caravan test --wasm`, `dev` and `replay` drive it.

`python -m marketplace.sandbox.workbench CACHE_DIR` speaks JSON lines over its standard streams:

- out `{"ready": true}` once, when the runners are there;
- in a job: `{"command": "run", "code": {path: base64}, "entry", "action", "input", "seed",
  "started_at", "locale", "grants", "limits": a manifest's [limits]}`, or `"command": "describe"`
  with `code` and `entry`;
- out `{"op", "payload"}` for each call of the app; in `{"answer"}` or `{"refused": {"code",
  "message"}}`, with `"at_ms"` where the app's clock shall show another time than the real one;
- out `{"told": a line of docs/audit-log.md}` for a call that the sandbox itself refused or ended
  the run with; in an object, with `"at_ms"` as above;
- out `{"actions"}` or `{"outcome"}`, and the next job may come.
"""

import base64
import json
import queue
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from subprocess import Popen
from typing import Any

from caravan.component import COMPONENT_FILE

from marketplace.sandbox.client import RunnerClient
from marketplace.sandbox.limits import clamp
from marketplace.sandbox.ports import AppRefused, Job, Later, Limits, Refused
from marketplace.sandbox.settings import SandboxSettings

POLL_S = 0.02
Line = dict[str, Any]


class Ear:
    """The lines that come in, read in a thread so that they can be waited for a while."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while text := sys.stdin.readline():
            self._lines.put(text)
        self._lines.put("")

    def hear(self, seconds: float | None = None) -> Line:
        """One line in. Raises: EOFError when the developer's end is closed, or queue.Empty."""
        text = self._lines.get(timeout=seconds)
        if not text:
            self._lines.put(text)  # for whoever asks next
            raise EOFError
        line: Line = json.loads(text)
        return line


class Developer:
    """The other end of the pipe, which answers the app's calls."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self._answer: Line | None = None

    def call(self, op: str, payload: Line) -> Any:
        """Pass one call on and wait for its answer. Raises: Refused, or EOFError."""
        if op == "run.queued":
            return None
        if op == "form.ask":
            return Asked(self, payload)
        say({"op": op, "payload": payload})
        return self.answered(self._ear.hear())

    def wait(self, seconds: float | None = None) -> Line | None:
        """The answer to a call, waited for at most so long. Raises: EOFError."""
        try:
            return self._ear.hear(seconds)
        except queue.Empty:
            return None

    def answered(self, answer: Line) -> Any:
        """What an answer holds. Raises: Refused."""
        self._answer = answer
        if refused := answer.get("refused"):
            raise Refused(refused["code"], refused["message"])
        return answer.get("answer")

    def correct(self, line: Line) -> None:
        """Let the app's clock show the time the other end names; tell it what it did not hear."""
        if self._answer is None:
            say({"told": line})
            self._answer = self._ear.hear()
        line["at_ms"] = self._answer.get("at_ms", line["at_ms"])
        self._answer = None


class Asked(Later):
    """A form that somebody at the other end fills in: the run's time stands still meanwhile."""

    def __init__(self, developer: Developer, payload: Line) -> None:
        self._developer = developer
        self._payload = payload
        self._is_open = False
        self._found: Line | None = None

    def open(self) -> None:
        """See `Later`."""
        self._is_open = True
        say({"op": "form.ask", "payload": self._payload})

    def wait(self, seconds: float) -> bool:
        """See `Later`."""
        self._found = self._developer.wait(seconds)
        return self._found is not None

    def answer(self) -> Any:
        """See `Later`."""
        return self._developer.answered(self._found or {})

    def close(self) -> None:
        """See `Later`. Every call is answered once, even where the run has ended meanwhile."""
        if self._is_open and self._found is None:
            self._developer.wait()


def say(line: Line) -> None:
    """One line out."""
    print(json.dumps(line), flush=True)  # noqa: T201


def perform(client: RunnerClient, asked: Line, ear: Ear) -> Line:
    """One job, answered."""
    code = {path: base64.b64decode(data) for path, data in asked["code"].items()}
    limits = limits_of(asked.get("limits", {}))
    try:
        if COMPONENT_FILE in code:
            code |= client.compile(code, limits=limits)
        if asked["command"] == "describe":
            return {"actions": client.describe(code, asked["entry"], limits=limits)["actions"]}
    except AppRefused as refused:
        error = {"rule": refused.rule, "message": refused.message, "traceback": refused.traceback}
        return {"outcome": {"kind": "failed", "error": error}}
    job = Job(
        run_id="workbench",
        code=code,
        entry=asked["entry"],
        action=asked["action"],
        input_json=json.dumps(asked["input"]),
        seed=asked["seed"],
        started_at=datetime.fromisoformat(asked["started_at"]),
        grants=frozenset(asked["grants"]),
        limits=limits,
        locale=asked["locale"],
    )
    developer = Developer(ear)
    outcome = client.run(job, developer, threading.Event(), developer.correct)
    return {"outcome": asdict(outcome), "limits": asdict(limits)}


def limits_of(asked: Mapping[str, int | None]) -> Limits:
    """The limits a store with the usual settings would set."""
    settings = SandboxSettings()
    given = {name: value for name, value in asked.items() if value is not None}
    return clamp(given, usual=settings.usual, ceiling=settings.ceiling)


def main(cache_dir: Path) -> None:
    """Serve jobs until the standard input ends."""
    with tempfile.TemporaryDirectory(prefix="caravan-") as folder:
        socket = Path(folder) / "runners.sock"
        where = ["--socket", str(socket), "--cache-dir", str(cache_dir), "--max-runners", "2"]
        zygote = Popen([sys.executable, "-m", "marketplace.sandbox.process", *where])
        try:
            client = RunnerClient(socket, cache_dir)
            while not client.status().ready:
                if zygote.poll() is not None:
                    sys.exit("The sandbox has ended; what it said is above.")
                threading.Event().wait(POLL_S)
            say({"ready": True})
            ear = Ear()
            while True:
                say(perform(client, ear.hear(), ear))
        except EOFError:
            return
        finally:
            zygote.terminate()
            zygote.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
