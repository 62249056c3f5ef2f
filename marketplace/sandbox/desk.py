"""Answers a run's calls on the store's side: checks, counts, and trusts nothing it hears."""

import json
import logging
from typing import Any, NoReturn

from marketplace.sandbox import grants
from marketplace.sandbox.limits import Spent
from marketplace.sandbox.outcomes import Refusals
from marketplace.sandbox.ports import HostCalls, Limits, Refused
from marketplace.sandbox.wire import BrokenFrame, Frame

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


class Desk:
    """Checks, counts and answers what the runner asks; trusts nothing it says."""

    def __init__(self, calls: HostCalls, granted: frozenset[str], limits: Limits) -> None:
        self._calls = calls
        self._granted = granted
        self.spent = Spent(limits)
        self.refusals: Refusals = {}

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
        if rule := self.spent.take(op, len(text)):
            raise Ended(rule)
        try:
            payload = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return self._refusal("host.payload", "The app sent something that is not JSON.")
        if not isinstance(payload, dict):
            return self._refusal("host.payload", "The app sent something that is no object.")
        if refused := grants.refusal(op, payload, self._granted):
            return self._refusal(*refused)
        try:
            value = self._calls.call(op, payload)
            return {"t": "answer", "value": json.dumps(value)}
        except Refused as error:
            return self._refusal(error.code, error.message)
        except Exception as error:
            log.exception("the host failed to answer %s", op)
            raise Ended("sandbox.host", repr(error)) from error

    def _refusal(self, code: str, message: str) -> Frame:
        self.refusals[code] = message
        return {"t": "refusal", "code": code, "message": message}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")
