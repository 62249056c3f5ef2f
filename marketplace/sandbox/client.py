"""The store's end: sends a job to the runners, answers its calls, and says how it ended."""

import base64
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caravan.component import COMPONENT_FILE

from marketplace.kernel import strict_json
from marketplace.sandbox import grants, wire
from marketplace.sandbox.components import DIGEST_FILE, Component
from marketplace.sandbox.conversation import ABSENT, Conversation
from marketplace.sandbox.desk import Desk, Nobody
from marketplace.sandbox.outcomes import Ending
from marketplace.sandbox.ports import (
    AppRefused,
    HostCalls,
    Job,
    Limits,
    Outcome,
    OutcomeKind,
    Record,
    RunError,
    SandboxStatus,
    forget,
)
from marketplace.sandbox.wire import BrokenFrame, Frame

STATUS_S = 2.0

log = logging.getLogger(__name__)


class RunnerClient:
    """The `Sandbox` behind a zygote's socket. Threads may share it."""

    def __init__(self, socket_path: Path, cache_dir: Path) -> None:
        self._path = socket_path
        self._cache_dir = cache_dir

    def run(
        self, job: Job, calls: HostCalls, stop: threading.Event, record: Record = forget
    ) -> Outcome:
        """Run one job to its end in this thread."""
        request = {
            "export": "run",
            "arguments": [job.action, job.input_json],
            "entry": job.entry,
            "seed": job.seed,
            "locale": job.locale,
            "started_at_ms": int(job.started_at.timestamp() * 1000),
        }
        desk = Desk(calls, job.grants, job.limits, record)
        ending = self._perform(request, job.code, job.limits, desk, stop, release=job.release)
        if ending.detail:
            log.error("run %s ended with %s: %s", job.run_id, ending.rule, ending.detail)
        return ending.outcome(job.limits, desk.spent)

    def describe(self, code: Mapping[str, bytes], entry: str, *, limits: Limits) -> dict[str, Any]:
        """The actions of an app. Raises: AppRefused."""
        request = {
            "export": "describe",
            "arguments": [],
            "entry": entry,
            "seed": 0,
            "locale": "en",
            "started_at_ms": int(time.time() * 1000),
        }
        try:
            found = strict_json.parsed(self._text(request, code, limits))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise AppRefused(RunError("app.describe", "The app does not describe its actions."))
        return found

    def compile(self, code: Mapping[str, bytes], *, limits: Limits) -> dict[str, bytes]:
        """Bytecode for every module of `code`; of a component its digest. Raises: AppRefused."""
        if COMPONENT_FILE in code:
            component = Component(self._cache_dir, code)
            component.ensure()
            return {DIGEST_FILE: component.digest}
        modules = {
            path: text.decode("utf-8-sig", errors="replace")
            for path, text in code.items()
            if path.endswith(".py")
        }
        source = json.dumps({"modules": modules})
        request = {
            "export": "compile",
            "arguments": [source],
            "entry": "",
            "seed": 0,
            "locale": "en",
            "started_at_ms": 0,
        }
        made = json.loads(self._text(request, {}, limits))
        return {str(path): base64.b64decode(text) for path, text in made.items()}

    def status(self) -> SandboxStatus:
        """How the zygote is; says so where there is none."""
        try:
            with self._connected() as control:
                control.settimeout(STATUS_S)
                control.sendall(wire.pack({"t": "status"}))
                found = wire.receive(control)
        except (OSError, EOFError, BrokenFrame) as error:
            return SandboxStatus(ready=False, why_not=f"{ABSENT} ({error})")
        return SandboxStatus(
            ready=True,
            runtime=str(found["runtime"]),
            busy=int(found["busy"]),
            idle=int(found["idle"]),
            waiting=int(found["waiting"]),
            asking=int(found["asking"]),
            prepared=int(found["prepared"]),
            max_runners=int(found["max_runners"]),
            walls=dict(found["walls"]),
        )

    def _text(self, request: Frame, code: Mapping[str, bytes], limits: Limits) -> str:
        desk = Desk(Nobody(), grants.EVERYTHING, limits)
        ending = self._perform(request, code, limits, desk, threading.Event())
        if ending.kind is OutcomeKind.FINISHED:
            return ending.text
        error = ending.outcome(limits, desk.spent).error
        raise AppRefused(
            error or RunError("app.error", "The app ended without an answer."),
            file=ending.file,
            line=ending.line,
        )

    def _perform(
        self,
        request: Frame,
        code: Mapping[str, bytes],
        limits: Limits,
        desk: Desk,
        stop: threading.Event,
        *,
        release: str = "",
    ) -> Ending:
        component = Component(self._cache_dir, code) if COMPONENT_FILE in code else None
        key = component.key if component else ""
        request = {
            "t": "job",
            "component": key,
            # A component has its files in itself, and nothing to import ahead.
            "code": {} if component else dict(code),
            "release": f"{release}:{request['entry']}" if release and not component else "",
            "cpu_ms": limits.cpu_ms,
            "wall_ms": limits.wall_ms,
            "memory_bytes": limits.memory_bytes,
            **request,
        }
        try:
            with self._connected() as control:
                ours, theirs = socket.socketpair()
                with ours:
                    conversation = Conversation(
                        control, ours, request, desk, stop, component=component
                    )
                    with theirs:
                        conversation.open(theirs)
                    return conversation.hold()
        except OSError as error:
            return Ending(OutcomeKind.FAILED, "sandbox.unavailable", ABSENT, detail=str(error))

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.connect(str(self._path))
            yield control
