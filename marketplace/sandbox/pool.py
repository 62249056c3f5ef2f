"""The zygote's desk: who waits, who runs, and who must be ended now."""

import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from marketplace.sandbox import wire
from marketplace.sandbox.hothouse import LOOK_EVERY_S, NEWS, Hothouse, Seed
from marketplace.sandbox.peers import REQUEST_BYTES, Peer, Runner
from marketplace.sandbox.wire import BrokenFrame, Frame

IDLE_DEATH_S = 0.1
# Whether somebody waits for it already, and what it shall import → a new process.
Fork = Callable[[bool, Seed | None], Runner]


class Components(Protocol):
    """What runners are born with."""

    def has(self, key: str) -> bool:
        """Whether runs of this component can begin."""

    def load(self, key: str, descriptor: int) -> None:
        """Take a component in; the descriptor is closed. Raises: any error."""


class Pool:
    """Hands each run to a ready process, and replaces the process afterwards.

    It has one thread and never waits for anybody: connections that do not take a frame at
    once are dropped, runners that outstay their time are killed.
    """

    def __init__(
        self,
        listener: socket.socket,
        fork: Fork,
        components: Components,
        hothouse: Hothouse,
        *,
        max_runners: int,
        max_waiting: int,
        max_asking: int,
        about: Frame,
    ) -> None:
        self._listener = listener
        self._fork = fork
        self._components = components
        self._hothouse = hothouse
        self._max_runners = max_runners
        self._max_waiting = max_waiting
        self._max_asking = max_asking
        self._about = about
        self._ready_count = min(max_runners, os.cpu_count() or 1)
        self._ready: deque[Runner] = deque()
        self._busy: set[Runner] = set()
        self._waiting: deque[Peer] = deque()
        self._selector = selectors.DefaultSelector()
        self._is_over = False
        self._alarm, self._bell = socket.socketpair()

    def run(self) -> None:
        """Serve until `end` is called; no runner outlives this."""
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._bell, selectors.EVENT_READ, lambda: None)
        try:
            while not self._is_over:
                self._keep_ready()
                self._tend()
                for key, _ in self._selector.select(self._next_deadline()):
                    key.data()
                self._end_overdue()
        finally:
            for runner in [*self._ready, *self._busy, *self._hothouse.runners]:
                _kill(runner.pid)
                os.waitpid(runner.pid, 0)

    def end(self) -> None:
        """Make `run` return; for a signal handler."""
        self._is_over = True
        # Python goes on waiting after a signal; what arrives on a socket ends the wait.
        self._alarm.send(b"!")

    def _timed(self) -> list[Runner]:
        """The runners whose time runs."""
        every = [*self._busy, *self._hothouse.runners]
        return [each for each in every if each.deadline and not each.reason and not each.is_paused]

    def _next_deadline(self) -> float:
        deadlines = [each.deadline for each in self._timed()]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else LOOK_EVERY_S

    def _keep_ready(self) -> None:
        # A place that came free may find a process that is ready already, left by a prepared one.
        self._dispatch()
        while len(self._ready) < min(self._ready_count, self._free):
            self._ready.append(self._bear(is_urgent=bool(self._waiting)))
            # Runs first: the next process can be made while this one works.
            if self._waiting:
                self._dispatch()

    def _tend(self) -> None:
        """While nobody waits, end the prepared runners that nobody wants, and prepare one."""
        if self._waiting:
            return
        now = time.monotonic()
        seed, cold = self._hothouse.tend(now=now)
        for runner in cold:
            self._end(runner, "cold")
        if seed:
            self._hothouse.plant(self._bear(seed=seed), now=now)

    def _bear(self, *, is_urgent: bool = False, seed: Seed | None = None) -> Runner:
        runner = self._fork(is_urgent, seed)
        self._selector.register(runner.inbox, selectors.EVENT_READ, lambda: self._heed(runner))
        return runner

    def _heed(self, runner: Runner) -> None:
        """A runner is dead, or says that it has prepared what it was to prepare."""
        try:
            said = runner.inbox.recv(NEWS.size, socket.MSG_DONTWAIT)
        except ConnectionError:
            said = b""
        if not said:
            self._bury(runner)
        elif not self._hothouse.heard(runner, said):
            self._end(runner, "unfit")

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        peer = Peer(sock)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._hear(peer))

    def _hear(self, peer: Peer) -> None:
        try:
            data, handed, _, _ = socket.recv_fds(peer.sock, REQUEST_BYTES, 1)
            peer.handed += handed
            requests = peer.frames.feed(data) if data else None
        except BlockingIOError:
            return
        except (OSError, BrokenFrame):
            requests = None
        if requests is None:
            self._leave(peer)
            return
        for request in requests:
            self._answer(peer, request)

    def _answer(self, peer: Peer, request: Frame) -> None:
        match request:
            case {"t": "status"}:
                self._tell(peer, self._status())
            case {"t": "stop"} if peer.runner is not None:
                self._end(peer.runner, "stopped")
            case {"t": "pause"} if peer.runner is not None and not peer.runner.is_paused:
                self._pause(peer, peer.runner)
            case {"t": "resume"} if peer.runner is not None and peer.runner.left_s is not None:
                peer.runner.deadline = time.monotonic() + peer.runner.left_s
                peer.runner.left_s = None
            case {"t": "run", "wall_ms": int(), "component": str(), "release": str()} if (
                peer.handed and not peer.wall_ms
            ):
                peer.wall_ms, peer.component = request["wall_ms"], request["component"]
                peer.release = request["release"]
                self._admit(peer)
            case {"t": "code", "entry": str(), "memory_bytes": int(), "code_bytes": int()} if (
                peer.handed and peer.release
            ):
                self._hothouse.sow(
                    Seed(
                        peer.release,
                        request["entry"],
                        request["memory_bytes"],
                        peer.handed.pop(),
                        request["code_bytes"],
                    )
                )
            case {"t": "component"} if len(peer.handed) > 1:
                self._take_in(peer)
            case _:
                self._leave(peer)

    @property
    def _asking(self) -> int:
        return sum(each.is_paused for each in self._busy)

    @property
    def _free(self) -> int:
        """How many more may work. One that waits for its person holds memory, but no place."""
        return self._max_runners - (len(self._busy) - self._asking)

    def _has_runner(self, peer: Peer) -> bool:
        return self._free > 0 and (bool(self._ready) or self._hothouse.has(peer.release))

    def _pause(self, peer: Peer, runner: Runner) -> None:
        """Stop a run's time, for its person is asked; where too many are, its time goes on."""
        if self._asking >= self._max_asking:
            self._tell(peer, {"t": "crowded"})
            return
        runner.left_s = max(0.0, runner.deadline - time.monotonic())
        self._tell(peer, {"t": "paused"})

    def _take_in(self, peer: Peer) -> None:
        """Load the component this peer has sent, and let its run go on."""
        try:
            if not self._components.has(peer.component):
                self._components.load(peer.component, peer.handed.pop())
        except Exception as error:  # noqa: BLE001  (nothing a store sends may end the zygote)
            print(f"A component could not be loaded: {error}", file=sys.stderr)  # noqa: T201
            self._leave(peer)
            return
        self._admit(peer)

    def _admit(self, peer: Peer) -> None:
        if not self._components.has(peer.component):
            self._tell(peer, {"t": "absent"})
            return
        if not self._has_runner(peer) and len(self._waiting) >= self._max_waiting:
            self._tell(peer, {"t": "full"})
            self._leave(peer)
            return
        self._waiting.append(peer)
        self._dispatch()

    def _dispatch(self) -> None:
        while self._waiting and self._has_runner(self._waiting[0]):
            peer = self._waiting.popleft()
            if not self._components.has(peer.component):
                # It has gone while the run waited; the store sends it again.
                self._tell(peer, {"t": "absent"})
                continue
            self._start(self._runner_for(peer), peer)
        for position, peer in enumerate(list(self._waiting), 1):
            if peer.position != position:
                peer.position = position
                self._tell(peer, {"t": "queued", "position": position})

    def _runner_for(self, peer: Peer) -> Runner:
        if self._hothouse.has(peer.release):
            return self._hothouse.take(peer.release)
        runner = self._ready.popleft()
        if peer.component in runner.holds:
            return runner
        # This one was born before the component came.
        self._end(runner, "old")
        return self._bear(is_urgent=True)

    def _start(self, runner: Runner, peer: Peer) -> None:
        runner.peer, peer.runner = peer, runner
        now = time.monotonic()
        runner.deadline = now + peer.wall_ms / 1000
        self._busy.add(runner)
        wants_code = bool(peer.release) and self._hothouse.ran(peer.release, now=now)
        # Before the runner has its job: what a quick one says must not come first.
        started = {"t": "started", "is_prepared": bool(runner.release), "wants_code": wants_code}
        self._tell(peer, started)
        if peer.handed:
            # One that died while it waited is buried soon, and the store is told.
            with suppress(BrokenPipeError):
                socket.send_fds(runner.inbox, [b"!"], peer.handed[:1])
            self._close_handed(peer)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for runner in self._timed():
            if runner.deadline <= now:
                self._end(runner, "wall")

    def _end(self, runner: Runner, reason: str) -> None:
        """Kill a runner; its closed inbox will have it buried."""
        runner.reason = runner.reason or reason
        _kill(runner.pid)

    def _bury(self, runner: Runner) -> None:
        """A runner is dead: take its status, tell its peer, make place."""
        self._selector.unregister(runner.inbox)
        runner.inbox.close()
        # One that only closed its end would have everybody wait for it.
        _kill(runner.pid)
        _, status, usage = os.wait4(runner.pid, 0)
        self._busy.discard(runner)
        self._hothouse.lost(runner)
        if runner in self._ready:
            self._ready.remove(runner)
            # One that dies idle would die again: replace it, but not in a tight circle.
            print(f"A waiting runner ended with status {status}.", file=sys.stderr)  # noqa: T201
            time.sleep(IDLE_DEATH_S)
        if runner.peer is not None:
            runner.peer.runner = None
            self._tell(runner.peer, _exited(runner, status, usage))

    def _leave(self, peer: Peer) -> None:
        """The store has hung up, or should: nobody wants this run any more."""
        if peer.sock.fileno() == -1:
            return
        self._selector.unregister(peer.sock)
        peer.sock.close()
        self._close_handed(peer)
        if peer in self._waiting:
            self._waiting.remove(peer)
            self._dispatch()
        if peer.runner is not None:
            peer.runner.peer = None
            self._end(peer.runner, "left")

    def _close_handed(self, peer: Peer) -> None:
        while peer.handed:
            os.close(peer.handed.pop())

    def _tell(self, peer: Peer, frame: Frame) -> None:
        if peer.sock.fileno() == -1:
            return
        try:
            peer.sock.sendall(wire.pack(frame))
        except OSError:
            self._leave(peer)

    def _status(self) -> Frame:
        return {
            "t": "status",
            "busy": len(self._busy),
            "idle": len(self._ready),
            "prepared": self._hothouse.count,
            "waiting": len(self._waiting),
            "asking": self._asking,
            "max_runners": self._max_runners,
            **self._about,
        }


def _kill(pid: int) -> None:
    # Not reaped yet, so the number cannot belong to anybody else.
    os.kill(pid, signal.SIGKILL)


def _exited(runner: Runner, status: int, usage: resource.struct_rusage) -> dict[str, Any]:
    return {
        "t": "exited",
        "reason": runner.reason,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
        "cpu_ms": int((usage.ru_utime + usage.ru_stime) * 1000),
        "peak_memory_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }
