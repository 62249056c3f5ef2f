"""One forked process that performs one job and ends."""

import base64
import hashlib
import json
import os
import resource
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import msgpack

from marketplace.sandbox import walls, wire
from marketplace.sandbox.hothouse import NEWS, Seed
from marketplace.sandbox.runtime import Runtime, Trapped, error_answer
from marketplace.sandbox.wire import Frame

# What a runner exits with when the store's side of the connection is gone.
LEFT_ALONE = 3
# And with when it could not even begin.
BROKEN = 4
# ru_maxrss counts KiB on Linux and bytes on macOS.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
NS_PER_MS = 1_000_000
PAGE_BYTES = resource.getpagesize()
# An app that computes longer while it is imported does so in its run.
PREPARE_CPU_MS = 500


@dataclass(frozen=True)
class Prepare:
    """What a runner shall import before its run is known, and the release's packed code."""

    seed: Seed
    code: bytes


@dataclass(frozen=True)
class Prepared:
    """What it has imported.

    Args:
        cpu_ms: what that took; the run that comes of it pays for it.
    """

    code: Mapping[str, bytes]
    cpu_ms: int


def serve(
    inbox: socket.socket,
    runtimes: Mapping[str, Runtime],
    address_bytes: int,
    prepare: Prepare | None,
    *,
    is_urgent: bool,
) -> NoReturn:
    """Wait for a connection on `inbox`, perform the job that comes over it, and exit.

    Args:
        runtimes: by key; that of Python is the empty text.
        is_urgent: somebody is waiting already, so there is no time to warm up.
    """
    # What a runner prints would be an app's way into the operator's log.
    for number in (1, 2):
        os.dup2(0, number)
    walls.around_runner(address_bytes)
    if not is_urgent:
        runtimes[""].warm()
    try:
        prepared = _prepare(prepare, runtimes[""], inbox) if prepare else None
        _, handed, _, _ = socket.recv_fds(inbox, 1, 1)
        if not handed:
            os._exit(0)
        # With family and kind given, Python asks the kernel nothing the filter would refuse.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, handed[0]) as store:
            job = wire.receive(store)
            store.sendall(wire.pack(_perform(job, store, runtimes[job["component"]], prepared)))
    except (EOFError, OSError):
        os._exit(LEFT_ALONE)
    os._exit(0)


def _prepare(prepare: Prepare, runtime: Runtime, inbox: socket.socket) -> Prepared:
    """Import a release for whoever runs it next, and tell the zygote how that went.

    It is fit to be used when no run could tell: importing must have asked for nothing but the
    release's own files, and have drawn nothing from the run's randomness.
    """
    cpu_at_start, faults_at_start = time.process_time_ns(), _page_faults()
    walls.time_cpu(PREPARE_CPU_MS)
    runtime.limit_memory(prepare.seed.memory_bytes)
    shelf = Shelf(msgpack.unpackb(prepare.code))
    desk = Bystander(shelf)
    try:
        is_good, text = runtime.call("prepare", (prepare.seed.entry,), desk.answer)
        is_fit = is_good and text == "true" and not desk.was_asked
    except Trapped:
        is_fit = False
    walls.time_cpu(0)
    touched_kib = (_page_faults() - faults_at_start) * PAGE_BYTES // 1024
    inbox.sendall(NEWS.pack(is_fit, touched_kib + len(prepare.code) // 1024))
    return Prepared(shelf.code, (time.process_time_ns() - cpu_at_start) // NS_PER_MS)


def _perform(
    job: Frame, store: socket.socket, runtime: Runtime, prepared: Prepared | None
) -> Frame:
    """Run one export, and describe how it went as an `outcome` frame."""
    at_start = _peak_bytes()
    cpu_at_start = time.process_time_ns()
    spent_ms = prepared.cpu_ms if prepared else 0
    walls.limit_cpu(job["cpu_ms"] - spent_ms)
    runtime.limit_memory(job["memory_bytes"])
    desk = Desk(job, Shelf(prepared.code if prepared else job["code"]), store)
    try:
        is_good, text = runtime.call(job["export"], tuple(job["arguments"]), desk.answer)
        status = "ok" if is_good else "error"
    except Trapped as trap:
        status, text = "trap", str(trap)
    except Exception:  # noqa: BLE001  # the store logs it; this process is at its end
        status, text = "broken", traceback.format_exc(limit=20)
    computed_ns = time.process_time_ns() - cpu_at_start
    return {
        "t": "outcome",
        "status": status,
        "text": text,
        "cpu_ms": spent_ms + max(0, computed_ns - desk.awake_ns) // NS_PER_MS,
        "peak_memory_bytes": max(0, _peak_bytes() - at_start),
    }


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


class Shelf:
    """The files of the release, as the guest asks for them."""

    def __init__(self, code: Mapping[str, bytes]) -> None:
        self.code = code
        self.operations = {"loader.find": self._find, "loader.read": self._read}

    def _find(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """A module of the release by its dotted name."""
        stem = str(payload["name"]).replace(".", "/")
        for path, package in ((f"{stem}/__init__.py", True), (f"{stem}.py", False)):
            if path in self.code:
                made = self.code.get(f"{path}c")
                bytecode = base64.b64encode(made).decode() if made else None
                return {"path": path, "package": package, "bytecode": bytecode}
        return None

    def _read(self, payload: dict[str, Any]) -> str | None:
        """A file of the release by its path."""
        data = self.code.get(str(payload["path"]).removeprefix("./"))
        return None if data is None else base64.b64encode(data).decode()


class Bystander:
    """Answers an app that is imported before its run: it has files, and nobody to ask."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.was_asked = False

    def answer(self, op: str, payload: str) -> tuple[bool, str]:
        """JSON for JSON; an error object for all that only a run can answer."""
        own = self._shelf.operations.get(op)
        if own is None:
            self.was_asked = True
            return False, error_answer("host.absent", "No run has begun.")
        return True, json.dumps(own(json.loads(payload)))


class Desk:
    """Answers the guest: what concerns this run alone here, everything else by the store."""

    def __init__(self, job: Frame, shelf: Shelf, store: socket.socket) -> None:
        self._job = job
        self._store = store
        self._eager = wire.Eager(store)
        self._frames = wire.Frames()
        self._elapsed_ms = 0
        self._random_blocks = 0
        self._own = {
            "clock.now": self._now,
            "clock.sleep": self._sleep,
            "invocation.info": self._info,
            "random.bytes": self._random,
            **shelf.operations,
        }

    def answer(self, op: str, payload: str) -> tuple[bool, str]:
        """JSON for JSON; false where it is an error object."""
        own = self._own.get(op)
        if own is not None:
            return True, json.dumps(own(json.loads(payload)))
        try:
            self._store.sendall(wire.pack({"t": "call", "op": op, "payload": payload}))
            self._eager.look()
            answer = self._received()
        except (EOFError, OSError):
            os._exit(LEFT_ALONE)
        self._elapsed_ms = max(self._elapsed_ms, answer["at_ms"])
        if answer["t"] == "refusal":
            return False, error_answer(answer["code"], answer["message"])
        text: str = answer["value"]
        return True, text

    def _received(self) -> Frame:
        """The store's answer: one frame, for one call."""
        while True:
            piece = self._store.recv(wire.PIECE_BYTES)
            if not piece:
                raise EOFError
            for frame in self._frames.feed(piece):
                return frame

    @property
    def awake_ns(self) -> int:
        """How long this process looked for answers; that is no computing of the app's."""
        return self._eager.awake_ns

    def _info(self, _payload: dict[str, Any]) -> dict[str, Any]:
        return {name: self._job[name] for name in ("entry", "seed", "locale")}

    def _now(self, _payload: dict[str, Any]) -> int:
        """The run's clock: it goes on when the store answers and when the app sleeps.

        While the app computes it stands still. So it cannot be used to spy on a neighbour,
        and a replay of the recorded calls shows the app the same times.
        """
        began: int = self._job["started_at_ms"]
        return (began + self._elapsed_ms) * NS_PER_MS

    def _sleep(self, payload: dict[str, Any]) -> None:
        """Wait; at the run's time limit the zygote ends this process."""
        slept_ms = min(max(0, int(payload["ms"])), self._job["wall_ms"] + 60_000)
        time.sleep(slept_ms / 1000)
        # One more than asked: the difference of two times as floats must not fall short.
        self._elapsed_ms += slept_ms + 1

    def _random(self, payload: dict[str, Any]) -> str:
        """Bytes from the seed: SHA-256 of the seed and a counter, block by block."""
        count = min(max(0, int(payload["count"])), wire.READ_BYTES)
        made = bytearray()
        while len(made) < count:
            block = f"{self._job['seed']}:{self._random_blocks}".encode()
            made += hashlib.sha256(block).digest()
            self._random_blocks += 1
        return bytes(made[:count]).hex()
