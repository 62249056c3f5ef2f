"""The store's end: sends a job to the runners, answers its calls, and says how it ended."""

import array
import base64
import json
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caravan.component import COMPONENT_FILE

from marketplace.kernel.words import noted
from marketplace.sandbox import grants, wire
from marketplace.sandbox.components import DIGEST_FILE, Component
from marketplace.sandbox.desk import Desk, Ended, Nobody
from marketplace.sandbox.outcomes import Ending, of_exit, of_limit, of_result
from marketplace.sandbox.ports import (
    AppRefused,
    HostCalls,
    Job,
    Later,
    Limits,
    Outcome,
    OutcomeKind,
    Record,
    Refused,
    RunError,
    SandboxStatus,
    forget,
)
from marketplace.sandbox.wire import BrokenFrame, Frame, Frames

# How soon a run notices that its `stop` is set.
STOP_CHECK_S = 0.05
STATUS_S = 2.0
# What a runner sends is small: a call's payload, or the description of an app.
RUNNER_FRAME_BYTES = 8 * 2**20

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
        ending = self._perform(request, job.code, job.limits, desk, stop)
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
        found = json.loads(self._text(request, code, limits))
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
    ) -> Ending:
        component = Component(self._cache_dir, code) if COMPONENT_FILE in code else None
        key = component.key if component else ""
        request = {
            "t": "job",
            "component": key,
            "code": {} if component else dict(code),
            "cpu_ms": limits.cpu_ms,
            "wall_ms": limits.wall_ms,
            "memory_bytes": limits.memory_bytes,
            **request,
        }
        try:
            with self._connected() as control:
                ours, theirs = socket.socketpair()
                with ours:
                    with theirs:
                        opening = wire.pack(
                            {"t": "run", "wall_ms": limits.wall_ms, "component": key}
                        )
                        rights = array.array("i", [theirs.fileno()])
                        control.sendmsg([opening], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
                    return _Conversation(
                        control, ours, request, desk, stop, component=component
                    ).hold()
        except OSError as error:
            return Ending(OutcomeKind.FAILED, "sandbox.unavailable", ABSENT, detail=str(error))

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.connect(str(self._path))
            yield control


ABSENT = noted("The part of the store that runs apps does not answer. Try again in a minute.")
CROWDED = noted("Too many runs wait for an answer at the moment. Try again in a few minutes.")
FULL = noted("Too many people are running apps at the moment. Try again in a minute.")


class _Conversation:
    """One run's two connections: `control` to the zygote, `data` to the runner."""

    def __init__(
        self,
        control: socket.socket,
        data: socket.socket,
        request: Frame,
        desk: Desk,
        stop: threading.Event,
        *,
        component: Component | None,
    ) -> None:
        self._component = component
        self._control = control
        self._data = data
        self._request = request
        self._desk = desk
        self._stop = stop
        self._control_frames = Frames()
        self._data_frames = Frames(RUNNER_FRAME_BYTES)
        self._started_at = 0.0
        self._waited_s = 0.0
        self._is_stopping = False
        self._is_paused: bool | None = None
        self._ending: Ending | None = None
        self._selector = selectors.DefaultSelector()
        desk.hold = self._stand_still

    def hold(self) -> Ending:
        """Talk until the run has ended.

        An exception that is not ours, such as SystemExit in a host call, closes both
        connections on its way up, and the zygote then ends the runner.
        """
        with self._selector:
            self._selector.register(self._data, selectors.EVENT_READ, self._hear_runner)
            self._selector.register(self._control, selectors.EVENT_READ, self._hear_zygote)
            while self._ending is None:
                self._heed_stop()
                # The runner's last words are read before the news of its death.
                ready = [key.data for key, _ in self._selector.select(STOP_CHECK_S)]
                for hear in sorted(ready, key=lambda each: each == self._hear_zygote):
                    if self._ending is None:
                        hear()
        if self._started_at:
            self._ending.wall_ms = int(
                (time.monotonic() - self._started_at - self._waited_s) * 1000
            )
        return self._ending

    def _stand_still(self, later: Later) -> None:
        """Wait for a person, with the run's wall limit stopped; the run may end meanwhile.

        Raises: Refused where too many wait already; Ended where the run is over.
        """
        with selectors.DefaultSelector() as zygote:
            zygote.register(self._control, selectors.EVENT_READ)
            self._is_paused = None
            self._control.sendall(wire.pack({"t": "pause"}))
            while self._is_paused is None:
                self._look_around(zygote, STOP_CHECK_S)
            if not self._is_paused:
                raise Refused("form.busy", CROWDED)
            began = time.monotonic()
            try:
                later.open()
                while not later.wait(STOP_CHECK_S):
                    self._look_around(zygote, 0)
            finally:
                self._waited_s += time.monotonic() - began
            self._control.sendall(wire.pack({"t": "resume"}))

    def _look_around(self, zygote: selectors.BaseSelector, wait_s: float) -> None:
        self._heed_stop()
        if zygote.select(wait_s):
            self._hear_zygote()
        if self._ending is not None:
            raise Ended(self._ending.rule)

    def _heed_stop(self) -> None:
        if self._stop.is_set() and not self._is_stopping:
            self._is_stopping = True
            self._stop_now()

    def _stop_now(self) -> None:
        if self._started_at:
            self._control.sendall(wire.pack({"t": "stop"}))
        else:
            self._ending = Ending(OutcomeKind.STOPPED, "stopped")

    def _hear_runner(self) -> None:
        try:
            piece = self._data.recv(wire.READ_BYTES)
            for frame in self._data_frames.feed(piece):
                self._take(frame)
        except ConnectionError:
            piece = b""
        except BrokenFrame as error:
            self._ending = Ending(OutcomeKind.FAILED, "sandbox.crashed", detail=str(error))
            return
        except Ended as ended:
            self._ending = self._ending or of_limit(ended.rule, ended.detail)
            return
        if not piece:
            # How it ended is the zygote's to say.
            self._selector.unregister(self._data)

    def _take(self, frame: Frame) -> None:
        if self._ending is not None:
            return
        if frame["t"] == "call":
            self._data.sendall(wire.pack(self._desk.answer(frame)))
        elif frame["t"] == "outcome":
            self._ending = of_result(frame, self._desk.refusals)
        else:
            raise BrokenFrame("A runner may only call and end.")

    def _hear_zygote(self) -> None:
        piece = self._control.recv(wire.READ_BYTES)
        if not piece:
            detail = "the zygote has hung up"
            self._ending = Ending(OutcomeKind.FAILED, "sandbox.unavailable", ABSENT, detail=detail)
        for frame in self._control_frames.feed(piece):
            self._note(frame)

    def _note(self, frame: Frame) -> None:
        match frame:
            case {"t": "queued", "position": int(position)}:
                self._desk.queued(position)
            case {"t": "paused" | "crowded" as answer}:
                self._is_paused = answer == "paused"
            case {"t": "full"}:
                self._ending = Ending(OutcomeKind.FAILED, "sandbox.busy", FULL)
            case {"t": "absent"}:
                self._send_component()
            case {"t": "started"}:
                self._started_at = time.monotonic()
                self._send_job()
            case {"t": "exited"} if self._ending is None:
                self._ending = of_exit(frame)

    def _send_component(self) -> None:
        if self._component is None:
            raise BrokenFrame("The zygote wants a component of an app that has none.")
        try:
            descriptor = self._component.open()
        except AppRefused as refused:
            self._ending = Ending(
                OutcomeKind.FAILED, refused.rule or "sandbox.crashed", refused.message
            )
            return
        try:
            rights = array.array("i", [descriptor])
            frame = wire.pack({"t": "component"})
            self._control.sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        finally:
            os.close(descriptor)

    def _send_job(self) -> None:
        try:
            self._data.sendall(wire.pack(self._request))
        except ConnectionError:
            log.debug("the runner died before it had its job; the zygote will say why")
