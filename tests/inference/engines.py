"""Engine processes for tests, and the requests tests send them."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketplace.inference.ports import Embedding, Finished, Generation, Message, Piece

ROOT = Path(__file__).parents[2]


class EngineEnded(Exception):
    """An engine ended before it listened; the argument is its exit status."""


@dataclass
class EngineProcess:
    """A started engine and where it listens."""

    process: subprocess.Popen[str]
    socket: Path

    def stop(self) -> int:
        """End it with SIGTERM. Returns its exit status."""
        self.process.terminate()
        return self._wait()

    def kill(self) -> int:
        """End it with SIGKILL, if it still runs."""
        self.process.kill()
        return self._wait()

    def _wait(self) -> int:
        status = self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status


def start_engine(socket: Path, *arguments: str | Path, **environment: str) -> EngineProcess:
    """Start an engine process and wait for the line that says it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "marketplace.inference.process", "--socket", socket, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    engine = EngineProcess(process, socket)
    if '"ready": true' not in process.stdout.readline():
        raise EngineEnded(engine.kill())
    return engine


def make_generation(content: str = "hello", **given: Any) -> Generation:
    """A request, greedy and short unless told otherwise."""
    wanted = {
        "request_id": "request",
        "app": "caravan.test",
        "person": "person",
        "messages": (Message("user", content),),
        "max_tokens": 16,
        **given,
    }
    return Generation(**wanted)


def make_embedding(*texts: str, **given: Any) -> Embedding:
    """A request for the vectors of some texts."""
    wanted = {"request_id": "vectors", "app": "caravan.test", "person": "person", **given}
    return Embedding(texts=texts or ("hello",), **wanted)


def text_of(events: list[Any]) -> str:
    """All text of an answer."""
    return "".join(event.text for event in events if isinstance(event, Piece))


def end_of(events: list[Any]) -> Finished:
    """The last event, which ends every answer."""
    [*_, last] = events
    assert isinstance(last, Finished)
    return last
