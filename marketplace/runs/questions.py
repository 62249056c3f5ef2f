"""Questions that runs ask their people, and the answers, where every web process finds them."""

import json
import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from marketplace.kernel.ids import RunId


@dataclass(frozen=True)
class Question:
    """A form that a run waits for.

    Args:
        number: 1 for the first of its run.
        until: when the run waits no longer, as a Unix time.
    """

    number: int
    title: str
    schema: Mapping[str, Any]
    until: float


class Questions:
    """A folder with a file for each question, and one for its answer.

    Files and not rows, as with the events of a run: the page may be served by another process
    than the run's, and nobody asks for them afterwards.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._answered = threading.Condition()

    def ask(self, run_id: RunId, question: Question) -> None:
        """Let the run's page show this form."""
        self._write(self._question(run_id), asdict(question))

    def pending(self, run_id: RunId) -> Question | None:
        """The form that waits for its answer, if one does."""
        try:
            found = json.loads(self._question(run_id).read_bytes())
        except FileNotFoundError:
            return None
        question = Question(**found)
        return None if self._answer(run_id, question.number).exists() else question

    def answer(self, run_id: RunId, number: int, values: Mapping[str, Any]) -> None:
        """Give a question its answer; the first one stands."""
        path = self._answer(run_id, number)
        if not path.exists():
            self._write(path, values)
        with self._answered:
            self._answered.notify_all()

    def wait(self, run_id: RunId, number: int, seconds: float) -> dict[str, Any] | None:
        """The answer; it is waited for at most so long."""
        with self._answered:
            if not self._answer(run_id, number).exists():
                # One that another process takes in is found by the next look.
                self._answered.wait(seconds)
        try:
            found: dict[str, Any] = json.loads(self._answer(run_id, number).read_bytes())
        except FileNotFoundError:
            return None
        return found

    def interrupt(self) -> None:
        """Let whoever waits look around."""
        with self._answered:
            self._answered.notify_all()

    def clear(self, run_id: RunId) -> None:
        """Forget what a run asked and was answered."""
        for path in self._folder.glob(f"{run_id}.*"):
            path.unlink(missing_ok=True)

    def _question(self, run_id: RunId) -> Path:
        return self._folder / f"{run_id}.question"

    def _answer(self, run_id: RunId, number: int) -> Path:
        return self._folder / f"{run_id}.answer-{number}"

    def _write(self, path: Path, value: Any) -> None:
        """Whole or not at all, and nothing that is there already is written over."""
        self._folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(value, file)
            os.link(temporary, path)
        except FileExistsError:
            return
        finally:
            Path(temporary).unlink()
