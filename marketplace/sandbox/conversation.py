"""One run, as the store's end talks it through with the zygote and with its runner."""

import array
import logging
import os
import selectors
import socket
import tempfile
import threading
import time
from contextlib import suppress

import msgpack

from marketplace.kernel.words import noted
from marketplace.sandbox import wire
from marketplace.sandbox.components import Component
from marketplace.sandbox.desk import Desk, Ended
from marketplace.sandbox.outcomes import Ending, of_exit, of_limit, of_result
from marketplace.sandbox.ports import AppRefused, Later, OutcomeKind, Refused
from marketplace.sandbox.wire import BrokenFrame, Frame, Frames

# How soon a run notices that its `stop` is set.
STOP_CHECK_S = 0.05
# A job of so many bytes fits into the buffer of its connection, before anybody reads it.
AHEAD_BYTES = 64 * 1024
# What a runner sends is small: a call's payload, or the description of an app.
RUNNER_FRAME_BYTES = 8 * 2**20

ABSENT = noted("The part of the store that runs apps does not answer. Try again in a minute.")
CROWDED = noted("Too many runs wait for an answer at the moment. Try again in a few minutes.")
FULL = noted("Too many people are running apps at the moment. Try again in a minute.")

log = logging.getLogger(__name__)


class Conversation:
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
        self._stands_still = False
        self._is_prepared = False
        self._wants_code = False
        self._unsent = memoryview(b"")
        self._ending: Ending | None = None
        # Ended by the store, and the zygote has not yet said what it used.
        self._is_cut = False
        self._selector = selectors.DefaultSelector()
        self._eager = wire.Eager(data)
        self._has_answered = False
        desk.hold = self._stand_still

    def open(self, runners_end: socket.socket) -> None:
        """Ask the zygote for a runner, which is given this end of `data`.

        A small job lies there for it already, so that it need not wait for this thread.
        """
        job = wire.pack(self._request)
        self._unsent = memoryview(job)
        if len(job) <= AHEAD_BYTES:
            with suppress(BlockingIOError):
                self._unsent = self._unsent[self._data.send(job, socket.MSG_DONTWAIT) :]
        named = {name: self._request[name] for name in ("wall_ms", "component", "release")}
        _send_with(self._control, {"t": "run", **named}, runners_end.fileno())

    def hold(self) -> Ending:
        """Talk until the run has ended.

        An exception that is not ours, such as SystemExit in a host call, closes both
        connections on its way up, and the zygote then ends the runner.
        """
        with self._selector:
            self._selector.register(self._data, selectors.EVENT_READ, self._hear_runner)
            self._selector.register(self._control, selectors.EVENT_READ, self._hear_zygote)
            while self._is_going:
                self._heed_stop()
                if self._has_answered and self._eager.look():
                    self._hear_runner()
                    continue
                ready = {key.data for key, _ in self._selector.select(STOP_CHECK_S)}
                # That it has begun is read before the runner's first words, and those that are
                # its last before the news of its death.
                first, second = self._hear_runner, self._hear_zygote
                if not self._started_at:
                    first, second = second, first
                for hear in (first, second):
                    if hear in ready and self._is_going:
                        hear()
        assert self._ending is not None
        if self._started_at:
            self._ending.wall_ms = int(
                (time.monotonic() - self._started_at - self._waited_s) * 1000
            )
        self._ending.was_prepared = self._is_prepared
        if self._wants_code:
            self._give_code()
        return self._ending

    @property
    def _is_going(self) -> bool:
        return self._ending is None or self._is_cut

    def _stand_still(self, later: Later) -> None:
        """Wait for a person, with the run's wall limit stopped; the run may end meanwhile.

        Raises: Refused where too many wait already; Ended where the run is over.
        """
        self._stands_still = True
        try:
            with selectors.DefaultSelector() as zygote:
                zygote.register(self._control, selectors.EVENT_READ)
                self._wait_for(later, zygote)
        finally:
            self._stands_still = False

    def _wait_for(self, later: Later, zygote: selectors.BaseSelector) -> None:
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
        self._has_answered = False
        try:
            piece = self._data.recv(wire.PIECE_BYTES)
            for frame in self._data_frames.feed(piece):
                self._take(frame)
        except ConnectionError:
            piece = b""
        except BrokenFrame as error:
            self._cut(Ending(OutcomeKind.FAILED, "sandbox.crashed", detail=str(error)))
            return
        except Ended as ended:
            if self._ending is None:
                self._cut(of_limit(ended.rule, ended.detail))
            return
        if not piece:
            # How it ended is the zygote's to say.
            self._selector.unregister(self._data)

    def _hear_last_words(self) -> None:
        """What a runner said before it died, where that comes with the news of its death."""
        with selectors.DefaultSelector() as said:
            said.register(self._data, selectors.EVENT_READ)
            while (
                self._ending is None
                and not self._stands_still
                and self._data in self._selector.get_map()
                and said.select(0)
            ):
                self._hear_runner()

    def _cut(self, ending: Ending) -> None:
        """End the run, and hear what it has used: an app must not compute for nothing."""
        self._ending = ending
        self._is_cut = True
        self._selector.unregister(self._data)
        self._control.sendall(wire.pack({"t": "stop"}))

    def _take(self, frame: Frame) -> None:
        if self._ending is not None:
            return
        if frame["t"] == "call":
            self._data.sendall(wire.pack(self._desk.answer(frame)))
            self._has_answered = True
        elif frame["t"] == "outcome":
            self._ending = of_result(frame, self._desk.refusals)
        else:
            raise BrokenFrame("A runner may only call and end.")

    def _hear_zygote(self) -> None:
        piece = self._control.recv(wire.PIECE_BYTES)
        if not piece:
            self._is_cut = False
            detail = "the zygote has hung up"
            self._ending = self._ending or Ending(
                OutcomeKind.FAILED, "sandbox.unavailable", ABSENT, detail=detail
            )
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
            case {"t": "started", "is_prepared": bool(), "wants_code": bool()}:
                self._started_at = time.monotonic()
                self._is_prepared, self._wants_code = frame["is_prepared"], frame["wants_code"]
                self._send_job()
            case {"t": "exited"}:
                died = of_exit(frame)
                self._hear_last_words()
                self._ending = self._ending or died
                if self._is_cut:
                    self._is_cut = False
                    self._ending.cpu_ms = died.cpu_ms
                    self._ending.peak_memory_bytes = died.peak_memory_bytes

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
            _send_with(self._control, {"t": "component"}, descriptor)
        finally:
            os.close(descriptor)

    def _send_job(self) -> None:
        """Send what of the job the runner has not been sent yet."""
        if self._is_prepared and len(self._unsent) > AHEAD_BYTES:
            # It has the code, which is most of this.
            self._unsent = memoryview(wire.pack({**self._request, "code": {}}))
        try:
            self._data.sendall(self._unsent)
        except ConnectionError:
            log.debug("the runner died before it had its job; the zygote will say why")

    def _give_code(self) -> None:
        """Let the zygote have instances of this release prepared."""
        code = msgpack.packb(self._request["code"])
        about = {name: self._request[name] for name in ("entry", "memory_bytes")}
        try:
            with tempfile.TemporaryFile(buffering=0) as file:
                file.write(code)
                frame = {"t": "code", "code_bytes": len(code), **about}
                _send_with(self._control, frame, file.fileno())
        except OSError as error:
            log.warning("no instances can be prepared of %s: %s", self._request["release"], error)


def _send_with(sock: socket.socket, frame: Frame, descriptor: int) -> None:
    """Send a frame, and a descriptor with it."""
    rights = array.array("i", [descriptor])
    sock.sendmsg([wire.pack(frame)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
