"""From what a runner said, or how it died, to an outcome with a sentence for the person. Pure."""

import json
import signal
from dataclasses import dataclass
from typing import Any

from marketplace.sandbox import limits
from marketplace.sandbox.limits import Spent
from marketplace.sandbox.ports import Limits, Outcome, OutcomeKind, RunError
from marketplace.sandbox.wire import Frame

# Rule → sentence, of every refusal the host itself has given in a run.
Refusals = dict[str, str]

# Rules an app may name by itself: the SDK raises them, and they only concern this run.
SDK_RULES = frozenset({"app.action", "input.action", "input.invalid", "payment.required"})
MESSAGE_CHARACTERS = 500
# The end says what went wrong; an app may make the rest as long as its memory allows.
TRACEBACK_CHARACTERS = 16_384
SENTENCES = {
    "app.error": "The app stopped because of an error in its own code.",
    "sandbox.crashed": (
        "The app crashed while it was working; nothing else was harmed. "
        "Try again, and tell its developer if it happens twice."
    ),
    "sandbox.killed": "The app was ended from outside. Try again in a minute.",
    "sandbox.host": (
        "The store failed to answer the app. The error has been logged; try again in a minute."
    ),
}


@dataclass
class Ending:
    """How a run ended, before it is an `Outcome`.

    Args:
        text: what the export answered.
        detail: for the operator's log; empty where nothing is wrong with the store.
        file, line: where in the app, for a syntax error.
    """

    kind: OutcomeKind
    rule: str = ""
    message: str = ""
    traceback: str = ""
    text: str = ""
    detail: str = ""
    file: str = ""
    line: int = 0
    fields: dict[str, str] | None = None
    cpu_ms: int = 0
    wall_ms: int = 0
    peak_memory_bytes: int = 0
    was_prepared: bool = False

    def outcome(self, allowed: Limits, spent: Spent) -> Outcome:
        """The outcome, with the sentence of its rule where it has none of its own."""
        error = None
        if self.kind is OutcomeKind.FAILED:
            message = (
                self.message or SENTENCES.get(self.rule) or limits.sentence(self.rule, allowed)
            )
            error = RunError(
                self.rule, message, self.traceback[-TRACEBACK_CHARACTERS:], self.fields or {}
            )
        elif self.kind is OutcomeKind.STOPPED:
            error = RunError("stopped", "The run was stopped.")
        return Outcome(
            kind=self.kind,
            error=error,
            cpu_ms=self.cpu_ms,
            wall_ms=self.wall_ms,
            peak_memory_bytes=self.peak_memory_bytes,
            host_calls=spent.host_calls,
            output_bytes=spent.output_bytes,
            was_prepared=self.was_prepared,
        )


def of_limit(rule: str, detail: str = "") -> Ending:
    """The store itself ended the run."""
    return Ending(OutcomeKind.FAILED, rule, detail=detail)


def of_exit(frame: Frame) -> Ending:
    """The runner is dead and has said nothing: the zygote knows why."""
    cpu_ms, peak = _number(frame, "cpu_ms"), _number(frame, "peak_memory_bytes")
    kind, rule, detail = OutcomeKind.FAILED, "sandbox.crashed", ""
    match frame.get("reason"), frame.get("signal"):
        case "stopped", _:
            kind, rule = OutcomeKind.STOPPED, "stopped"
        case "wall", _:
            rule = "limit.wall"
        case _, signal.SIGPROF | signal.SIGXCPU:
            rule = "limit.cpu"
        case _, signal.SIGKILL:
            rule, detail = "sandbox.killed", "killed by the kernel or an operator"
        case _:
            detail = f"signal {frame.get('signal')}, exit code {frame.get('code')}"
    return Ending(kind, rule, detail=detail, cpu_ms=cpu_ms, peak_memory_bytes=peak)


def of_result(frame: Frame, refusals: Refusals) -> Ending:
    """The runner has said how the call ended."""
    text = str(frame.get("text", ""))
    match frame.get("status"):
        case "ok":
            ending = Ending(OutcomeKind.FINISHED, text=text)
        case "error":
            ending = _of_error(text, refusals)
        case "trap":
            ending = Ending(OutcomeKind.FAILED, "sandbox.crashed", traceback=f"WebAssembly: {text}")
        case _:
            ending = Ending(OutcomeKind.FAILED, "sandbox.crashed", detail=text)
    ending.cpu_ms = _number(frame, "cpu_ms")
    ending.peak_memory_bytes = _number(frame, "peak_memory_bytes")
    return ending


def _of_error(text: str, refusals: Refusals) -> Ending:
    """An error object of the guest: `compile`'s, or that of an exception in the app."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        detail = "the guest's error is no object"
        return Ending(OutcomeKind.FAILED, "sandbox.crashed", detail=detail)
    message = _text(found, "message")[:MESSAGE_CHARACTERS]
    if "file" in found:
        file, line = _text(found, "file"), _number(found, "line")
        said = f"{file}, line {line}: {message}."
        return Ending(OutcomeKind.FAILED, "app.syntax", said, file=file, line=line)
    kind, code = _text(found, "type"), _text(found, "code")
    traceback = _text(found, "traceback")
    if kind == "MemoryError":
        return Ending(OutcomeKind.FAILED, "limit.memory", traceback=traceback)
    if code in refusals:
        # The host's own words, not what the app says they were.
        return Ending(OutcomeKind.FAILED, code, refusals[code], traceback)
    if code in SDK_RULES and message:
        fields = found.get("fields")
        named = {str(k): str(v) for k, v in fields.items()} if isinstance(fields, dict) else {}
        return Ending(OutcomeKind.FAILED, code, message, traceback, fields=named)
    said = f"{SENTENCES['app.error']} It said: {kind}: {message}" if message else ""
    return Ending(OutcomeKind.FAILED, "app.error", said, traceback)


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name, "")
    return value if isinstance(value, str) else ""


def _number(found: dict[str, Any], name: str) -> int:
    value = found.get(name, 0)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
