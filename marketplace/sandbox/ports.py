"""What a run asks of the sandbox, and what it hears back."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from marketplace.kernel.errors import Invalid


@dataclass(frozen=True)
class Limits:
    """What one run may use at most."""

    wall_ms: int
    cpu_ms: int
    memory_bytes: int
    output_bytes: int
    host_calls: int


@dataclass(frozen=True)
class Job:
    """One run of one action.

    Args:
        run_id: names the run in logs.
        code: the release's files by path: modules `a/b.py`, their bytecode `a/b.pyc` where
            `Sandbox.compile` has made it, and data files the app reads with `open`.
        entry: the module that has `app = App()`.
        input_json: the action's input, a JSON object.
        seed: what the run's randomness follows from.
        started_at: aware; what the run's clock starts at.
        grants: names of the permissions the person has granted.
        locale: the person's language, a BCP 47 tag.
        release: names `code` by its content, so that instances may be prepared for the next
            runs of it; "" where none should be.
    """

    run_id: str
    code: Mapping[str, bytes]
    entry: str
    action: str
    input_json: str
    seed: int
    started_at: datetime
    grants: frozenset[str]
    limits: Limits
    locale: str
    release: str = ""


class Refused(Exception):
    """The host says no to a call: the guest sees `caravan.HostError(code, message)`.

    Args:
        code: a rule such as `kv.full`.
        message: a full sentence; the person reads it where the app does not catch it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Later(ABC):
    """An answer that somebody has yet to give. Until then the run stands still.

    It computes nothing meanwhile, and its wall limit waits too.
    """

    @abstractmethod
    def open(self) -> None:
        """The run stands still now: ask. Called at most once."""

    @abstractmethod
    def wait(self, seconds: float) -> bool:
        """Wait at most so long; whether nothing more is to be waited for."""

    @abstractmethod
    def answer(self) -> Any:
        """The answer, a JSON value. Raises: Refused where none came."""

    @abstractmethod
    def close(self) -> None:
        """Ask no more. Always called, even if `open` was not."""


class HostCalls(Protocol):
    """The host's side of a run."""

    def call(self, op: str, payload: dict[str, Any]) -> Any:
        """Answer one call with a JSON value, or with a `Later`. Raises: Refused.

        The grant is checked and the call is counted before. While the run waits for a
        runner, `run.queued` comes with `{"position": 1}` for the next in line; its answer
        does not matter.
        """


# Hears of each host call when it has been answered: one line of docs/audit-log.md.
Record = Callable[[dict[str, Any]], None]


def forget(_line: dict[str, Any]) -> None:
    """A `Record` for runs of which nothing need be known afterwards."""


class OutcomeKind(StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class RunError:
    """Why a run did not finish.

    Args:
        rule: `limit.wall|cpu|memory|output|host_calls`, `permission.<name>`, `app.error`,
            `input.invalid`, `input.action`, `payment.required`, `sandbox.crashed|killed|
            unavailable|host`, `stopped`, or the code of the `Refused` that ended the app.
        message: a sentence for the person.
        traceback: for the developer; the app's own frames.
        fields: input field → sentence, for `input.invalid`.
    """

    rule: str
    message: str
    traceback: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The end of a run and what it used.

    Args:
        was_prepared: whether its instance had imported the release before the run came.
    """

    kind: OutcomeKind
    error: RunError | None = None
    cpu_ms: int = 0
    wall_ms: int = 0
    peak_memory_bytes: int = 0
    host_calls: int = 0
    output_bytes: int = 0
    was_prepared: bool = False


class AppRefused(Invalid):
    """An app cannot be described or compiled; the message says what is wrong with it."""

    def __init__(self, error: RunError, *, file: str = "", line: int = 0) -> None:
        super().__init__(error.message, rule=error.rule, fields=error.fields)
        self.traceback = error.traceback
        self.file = file
        self.line = line


@dataclass(frozen=True)
class SandboxStatus:
    """Whether apps can run, and how well they are walled in.

    Args:
        why_not: a sentence, where `ready` is false.
        prepared: instances that have imported a release and wait for a run of it.
        walls: name of a wall → `up`, or why it is not.
    """

    ready: bool
    why_not: str = ""
    runtime: str = ""
    busy: int = 0
    idle: int = 0
    waiting: int = 0
    asking: int = 0
    prepared: int = 0
    max_runners: int = 0
    walls: Mapping[str, str] = field(default_factory=dict)


class Sandbox(Protocol):
    """Runs apps where they can do no harm."""

    def run(
        self, job: Job, calls: HostCalls, stop: threading.Event, record: Record = forget
    ) -> Outcome:
        """Run one job to its end in the caller's thread; setting `stop` ends it soon."""

    def describe(self, code: Mapping[str, bytes], entry: str, *, limits: Limits) -> dict[str, Any]:
        """The actions of an app, found by importing it in the sandbox. Raises: AppRefused."""

    def compile(self, code: Mapping[str, bytes], *, limits: Limits) -> dict[str, bytes]:
        """Bytecode for every module of `code`, to be stored and sent beside the sources.

        Raises: AppRefused where the syntax is wrong.
        """

    def status(self) -> SandboxStatus:
        """How the sandbox is; never raises."""
