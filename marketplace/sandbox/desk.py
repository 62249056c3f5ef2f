"""Answers a run's calls on the store's side: checks, counts, and trusts nothing it hears."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any, NoReturn

from marketplace.kernel import strict_json
from marketplace.sandbox import grants
from marketplace.sandbox.limits import Spent
from marketplace.sandbox.outcomes import Refusals
from marketplace.sandbox.ports import HostCalls, Later, Limits, Record, Refused, forget
from marketplace.sandbox.wire import BrokenFrame, Frame

# The longest name of an operation; a hostile one is cut in the log.
OP_CHARACTERS = 60
BLOCK_S = 1.0

log = logging.getLogger(__name__)


class Nobody:
    """Answers no call: an app that is only described has no run."""

    def call(self, op: str, payload: dict[str, Any]) -> NoReturn:
        """Refuse."""
        raise Refused("host.absent", "An app can ask the store only while an action runs.")


class Ended(BaseException):
    """The store ends the run: the rule, and what a log should hold.

    No `Exception`, so that no app could catch it where one runs in this process.
    """

    def __init__(self, rule: str, detail: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.detail = detail


def block(later: Later) -> None:
    """Wait for an answer in this thread, as where no runner has to be looked after."""
    later.open()
    while not later.wait(BLOCK_S):
        pass


class Desk:
    """Checks, counts, answers and records what the runner asks; trusts nothing it says."""

    def __init__(
        self,
        calls: HostCalls,
        granted: frozenset[str],
        limits: Limits,
        record: Record = forget,
    ) -> None:
        self._calls = calls
        self._granted = granted
        self._record = record
        self._began = time.monotonic()
        self.spent = Spent(limits)
        self.refusals: Refusals = {}
        # How the run stands still until a person has answered.
        self.hold: Callable[[Later], None] = block

    def queued(self, position: int) -> None:
        """Tell the host where in the line the run is."""
        try:
            self._calls.call("run.queued", {"position": position})
        except Refused as refused:
            log.debug("the host does not care for the line: %s", refused.message)

    def answer(self, frame: Frame) -> Frame:
        """The frame that answers a `call` frame. Raises: Ended where a limit is reached."""
        op, text = frame.get("op"), frame.get("payload")
        if not isinstance(op, str) or not isinstance(text, str):
            raise BrokenFrame("A call has no op or no payload.")
        line: dict[str, Any] = {"n": self.spent.host_calls + 1, "op": op[:OP_CHARACTERS]}
        try:
            answered = self._answered(op, text, line)
        except Ended as ended:
            line["ended"] = ended.rule
            raise
        finally:
            # The run's clock stands still between two calls, so that a replay reads the same.
            line["at_ms"] = int((time.monotonic() - self._began) * 1000)
            self._record(line)
        return {**answered, "at_ms": line["at_ms"]}

    def _answered(self, op: str, text: str, line: dict[str, Any]) -> Frame:
        """The answer to one call; what is to be recorded of it goes into `line`."""
        if rule := self.spent.take(op, len(text)):
            raise Ended(rule)
        try:
            payload = strict_json.parsed(text)
        except (ValueError, RecursionError):
            line["payload"] = text
            refusal = "host.payload", "The app sent something that is not JSON."
            return self._refusal(line, *refusal)
        line["payload"] = payload
        if not isinstance(payload, dict):
            refusal = "host.payload", "The app sent something that is no object."
            return self._refusal(line, *refusal)
        if refused := grants.refusal(op, payload, self._granted):
            return self._refusal(line, *refused)
        try:
            value = self._calls.call(op, payload)
            if isinstance(value, Later):
                value = self._awaited(value)
            answer = {"t": "answer", "value": json.dumps(value)}
        except Refused as error:
            return self._refusal(line, error.code, error.message)
        except Exception as error:
            log.exception("the host failed to answer %s", op)
            raise Ended("sandbox.host", repr(error)) from error
        line["answer"] = value
        return answer

    def _awaited(self, later: Later) -> Any:
        try:
            self.hold(later)
            return later.answer()
        finally:
            later.close()

    def _refusal(self, line: dict[str, Any], code: str, message: str) -> Frame:
        self.refusals[code] = message
        line["refused"] = {"code": code, "message": message}
        return {"t": "refusal", "code": code, "message": message}
