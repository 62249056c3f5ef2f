"""The `form.ask` operation: a run that stands still until its person has filled a form."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from caravan.forms import has_file

from marketplace.kernel.ids import RunId
from marketplace.review.checks.described import schema_problem
from marketplace.runs.events import EventWriter
from marketplace.runs.keepable import mended
from marketplace.runs.questions import Question, Questions
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.ports import Later, Refused

MAX_TITLE_CHARACTERS = 200
MAX_SCHEMA_CHARACTERS = 64 * 1024


class Asking:
    """What one run may ask its person, and how long it waits for them.

    Args:
        has_page: whether anybody sees the run while it goes on.
    """

    def __init__(
        self,
        run_id: RunId,
        questions: Questions,
        events: EventWriter,
        settings: RunSettings,
        *,
        has_page: bool,
    ) -> None:
        self.run_id = run_id
        self.questions = questions
        self.events = events
        self.left_s = float(settings.form_wait_s)
        self.is_cancelled = threading.Event()
        self._settings = settings
        self._has_page = has_page
        self._asked = 0
        self.operations: dict[str, Callable[[dict[str, Any]], Any]] = {"form.ask": self._ask}

    def cancel(self) -> None:
        """Wait for nobody any more; from any thread."""
        self.is_cancelled.set()
        self.questions.interrupt()

    def unanswered(self) -> Refused:
        """Why an answer is waited for no longer."""
        minutes = -(-self._settings.form_wait_s // 60)
        return Refused(
            "form.unanswered", f"A run waits {minutes} minutes for answers, and they are over."
        )

    def _ask(self, payload: dict[str, Any]) -> Later:
        if not self._has_page:
            raise Refused("form.no-page", "Nobody sees this run, so nobody can be asked.")
        title, schema = payload.get("title", ""), payload.get("schema")
        if not isinstance(title, str) or not isinstance(schema, dict):
            raise Refused("form.schema", "A form has a `schema`, an object, and a `title`.")
        if len(json.dumps(schema)) > MAX_SCHEMA_CHARACTERS:
            raise Refused("form.schema", "The form's schema is too long for a form.")
        if problem := schema_problem(schema):
            raise Refused("form.schema", f"The form {problem}")
        if has_file(schema):
            raise Refused("form.schema", "A form in the middle of a run takes no files.")
        if self._asked >= self._settings.forms:
            raise Refused("limit.forms", f"A run asks at most {self._settings.forms} times.")
        if self.left_s <= 0:
            raise self.unanswered()
        self._asked += 1
        shown = mended(title).strip()[:MAX_TITLE_CHARACTERS]
        return Waiting(self, self._asked, shown, mended(schema))


class Waiting(Later):
    """One form on the page of a run, and its answer."""

    def __init__(self, asking: Asking, number: int, title: str, schema: dict[str, Any]) -> None:
        self._asking = asking
        self._number = number
        self._title = title
        self._schema = schema
        self._opened_at: float | None = None
        self._values: dict[str, Any] | None = None

    def open(self) -> None:
        """See `Later`."""
        asking = self._asking
        self._opened_at = time.monotonic()
        until = time.time() + asking.left_s
        asking.questions.ask(
            asking.run_id, Question(self._number, self._title, self._schema, until)
        )
        asking.events.write("asked", {"number": self._number})

    def wait(self, seconds: float) -> bool:
        """See `Later`."""
        asking = self._asking
        left_s = asking.left_s - self._waited_s
        if left_s <= 0 or asking.is_cancelled.is_set():
            return True
        found = asking.questions.wait(asking.run_id, self._number, min(seconds, left_s))
        self._values = found
        return found is not None

    def answer(self) -> dict[str, Any]:
        """See `Later`."""
        if self._values is not None:
            return self._values
        if self._asking.is_cancelled.is_set():
            raise Refused("form.stopped", "The run was stopped.")
        raise self._asking.unanswered()

    def close(self) -> None:
        """See `Later`."""
        if self._opened_at is None:
            return
        self._asking.left_s -= self._waited_s
        self._asking.questions.clear(self._asking.run_id)
        self._asking.events.write("answered", {"number": self._number})

    @property
    def _waited_s(self) -> float:
        return 0.0 if self._opened_at is None else time.monotonic() - self._opened_at
