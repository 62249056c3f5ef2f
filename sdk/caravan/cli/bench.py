"""What `caravan dev` runs an app on: the store's real sandbox, or a fresh Python process."""

import base64
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from caravan import bundle, native, workbench
from caravan.cli.model import Upstream
from caravan.cli.project import settings_of
from caravan.cli.replies import QUIET_S, Replies
from caravan.errors import HostError
from caravan.findings import BundleRefused
from caravan.manifest import Manifest
from caravan.simulation import Counted, Desk, Model
from caravan.testing import Upload

Line = dict[str, Any]
RUN_LIMIT_S = 300
QUIET = frozenset({"llm.next", "output.write"})
# Lines that are neither output of the app nor its end.
BETWEEN = frozenset({"ask", "answered", "quiet"})
# What a store allows where neither it nor the manifest says otherwise.
OUTPUT_BYTES = 256 * 1024
HOST_CALLS = 10_000


@dataclass(frozen=True)
class Upstreams:
    """What the pretended store stands on."""

    store: str | None = None
    token: str | None = None
    entitlements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """One run a person has asked for.

    Args:
        uploads: the files of file fields, by field.
        replies: what the person says to the forms of the run.
    """

    action: str
    values: Mapping[str, Any]
    uploads: Mapping[str, Upload] = field(default_factory=dict)
    replies: Replies = field(default_factory=Replies)


class Bench(Protocol):
    """Something an app can be described and run on."""

    name: str

    def describe(self, opened: bundle.Bundle, folder: Path) -> Line:
        """`{"actions"}`, or `{"problem", "traceback"}`."""

    def run(
        self, opened: bundle.Bundle, folder: Path, asked: Asked, stop: threading.Event
    ) -> Iterator[Line]:
        """Items, and at last `error` or `end` with what was used.

        Between them `{"kind": "call", "op", "payload"}`; `ask` with `title` and `schema`, until
        which is `answered` the run stands still; and `quiet` where nothing has come for a while.
        """


def opened_of(folder: Path) -> bundle.Bundle | Line:
    """The folder as a store would open it, or `{"problem", "traceback"}`."""
    try:
        return bundle.open_bundle(bundle.build(folder))
    except BundleRefused as refused:
        line = f":{refused.line}" if refused.line else ""
        place = f"{refused.file}{line}: " if refused.file else ""
        return {"problem": f"{place}{refused.message}", "traceback": ""}


class NativeBench:
    """A Python process for each run: at once there, and without walls."""

    name = "plain Python"

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams

    def describe(self, opened: bundle.Bundle, folder: Path) -> Line:
        """See `Bench`."""
        found: Line = {}
        for found in self._lines(self._job("describe", opened.manifest, folder), 30, Replies()):
            if found["kind"] == "describe":
                return {"actions": found["actions"]}
        message = found.get("message", "The app ended while it was imported.")
        return {"problem": message, "traceback": found.get("traceback", "")}

    def run(
        self, opened: bundle.Bundle, folder: Path, asked: Asked, stop: threading.Event
    ) -> Iterator[Line]:
        """See `Bench`."""
        manifest = opened.manifest
        job = self._job("run", manifest, folder) | {
            "action": asked.action,
            "values": dict(asked.values),
            "uploads": {name: _packed(upload) for name, upload in asked.uploads.items()},
        }
        used = {"host_calls": 0, "output_bytes": 0}
        for line in self._lines(job, manifest.limits.wall_s or RUN_LIMIT_S, asked.replies):
            if stop.is_set():
                return
            match line["kind"]:
                case "end" | "error":
                    yield {**line, "used": {**used, "llm_tokens": line["pieces"]}}
                    return
                case "call":
                    used["host_calls"] += 1
                case kind if kind not in BETWEEN:
                    used["output_bytes"] += len(json.dumps(line))
            yield line

    def _job(self, command: str, manifest: Manifest, folder: Path) -> Line:
        return {
            "command": command,
            "folder": str(folder),
            "entry": manifest.runtime.entry,
            "permissions": sorted(manifest.permissions),
            "store": self._upstreams.store,
            "token": self._upstreams.token,
            "entitlements": list(self._upstreams.entitlements),
            "settings": settings_of(manifest),
        }

    def _lines(self, job: Line, limit_s: int, replies: Replies) -> Iterator[Line]:
        process = subprocess.Popen(
            [sys.executable, "-m", "caravan.cli.model" if job["store"] else "caravan.native"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        watchdog = _Watchdog(process.kill, limit_s)
        try:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("A process that was given pipes has none.")
            _tell(process.stdin, job)
            for text in process.stdout:
                line = json.loads(text)
                yield line
                if line["kind"] == "ask":
                    watchdog.pause()
                    yield from _waited(replies, process.stdin)
                    watchdog.go_on()
        finally:
            watchdog.pause()
            process.kill()
            # Its streams are closed with it.
            process.communicate()


class _Watchdog:
    """Ends a run that takes too long; the time that a person takes does not count."""

    def __init__(self, end: Callable[[], None], limit_s: float) -> None:
        self._end = end
        self._left_s = limit_s
        self.go_on()

    def go_on(self) -> None:
        """Let the time run."""
        self._began_at = time.monotonic()
        self._timer = threading.Timer(self._left_s, self._end)
        self._timer.start()

    def pause(self) -> None:
        """Let the time stand still."""
        self._timer.cancel()
        self._left_s -= time.monotonic() - self._began_at


def _tell(stream: IO[bytes], value: Any) -> None:
    stream.write(json.dumps(value).encode() + b"\n")
    stream.flush()


def _waited(replies: Replies, stream: IO[bytes]) -> Iterator[Line]:
    """Pass one answer on; while it is waited for, `quiet` lines."""
    while True:
        try:
            _tell(stream, replies.get(QUIET_S))
        except queue.Empty:
            yield {"kind": "quiet"}
        else:
            yield {"kind": "answered"}
            return


class SandboxBench:
    """The store's real sandbox; what an app keeps with `ctx.kv` lasts as long as this."""

    name = "the real sandbox"

    def __init__(self, upstreams: Upstreams) -> None:
        self._workbench = workbench.Workbench()
        self._upstreams = upstreams
        self._kv: dict[tuple[str, str], Any] = {}

    def close(self) -> None:
        """End the sandbox."""
        self._workbench.close()

    def describe(self, opened: bundle.Bundle, folder: Path) -> Line:
        """See `Bench`."""
        found = self._workbench.describe(opened.files, opened.manifest.runtime.entry)
        if "actions" in found:
            return found
        error = found["outcome"]["error"]
        return {"problem": error["message"], "traceback": error["traceback"]}

    def run(
        self, opened: bundle.Bundle, folder: Path, asked: Asked, stop: threading.Event
    ) -> Iterator[Line]:
        """See `Bench`. Stop is heard at the app's next call to the store."""
        lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        threading.Thread(target=self._work, args=(opened, asked, stop, lines), daemon=True).start()
        line: Line = {"kind": "quiet"}
        while line["kind"] not in {"end", "error"}:
            try:
                line = lines.get(timeout=QUIET_S)
            except queue.Empty:
                line = {"kind": "quiet"}
            yield line

    def _work(
        self,
        opened: bundle.Bundle,
        asked: Asked,
        stop: threading.Event,
        lines: "queue.SimpleQueue[Line]",
    ) -> None:
        def ask(form: Mapping[str, Any]) -> Mapping[str, Any] | None:
            lines.put({"kind": "ask", **form})
            found = asked.replies.get()
            if stop.is_set():
                raise _stopped()
            lines.put({"kind": "answered"})
            return found

        model = Counted(self._model())
        desk = Desk(
            pieces=lambda payload, _turn: model(payload),
            entitlements=self._upstreams.entitlements,
            permissions=opened.manifest.permissions,
            settings=settings_of(opened.manifest),
            ask=ask,
            web={},
            kv=self._kv,
        )

        def answer(op: str, payload: Line) -> Any:
            if stop.is_set():
                raise _stopped()
            if op == "output.write":
                lines.put(payload)
                return None
            if op not in QUIET:
                lines.put({"kind": "call", "op": op, "payload": payload})
            value = desk.call(op, payload)
            for item in desk.take_written():
                lines.put(item)
            return value

        files = {
            name: desk.keep_file(upload.name, upload.data, upload.media_type)
            for name, upload in asked.uploads.items()
        }
        job = workbench.WasmJob(
            code=opened.files,
            entry=opened.manifest.runtime.entry,
            action=asked.action,
            values={**asked.values, **files},
            grants=opened.manifest.permissions,
            limits=opened.manifest.limits.model_dump(),
        )
        try:
            done = self._workbench.run(job, answer)
        except workbench.NoSandbox as absent:
            used = {"llm_tokens": model.pieces}
            lines.put({"kind": "error", "message": str(absent), "traceback": "", "used": used})
            return
        outcome = done["outcome"]
        error = outcome.get("error")
        told = {"message": error["message"], "traceback": error["traceback"]} if error else {}
        used = used_of(done) | {"llm_tokens": model.pieces}
        lines.put({"kind": "error" if error else "end", **told, "used": used})

    def _model(self) -> Model:
        store, token = self._upstreams.store, self._upstreams.token
        return Upstream(store, token).answer if store and token else native.pretend


def _stopped() -> HostError:
    return HostError("stopped", "The run was stopped.")


def used_of(done: Line) -> Line:
    """What a run in the sandbox used, and as `limits` what it might have."""
    outcome = done["outcome"]
    names = ("cpu_ms", "wall_ms", "peak_memory_bytes", "output_bytes", "host_calls")
    return {**{name: outcome[name] for name in names}, "limits": done.get("limits", {})}


def usage_rows(used: Line, most_tokens: int) -> Iterable[tuple[str, int, int, str]]:
    """The budget bar: label, value, most, and both in words."""
    limits = used.get("limits", {})
    for label, name, most, unit in (
        ("Computing", "cpu_ms", limits.get("cpu_ms"), "ms"),
        ("Time", "wall_ms", limits.get("wall_ms"), "ms"),
        ("Memory", "peak_memory_bytes", limits.get("memory_bytes"), "bytes"),
        ("Output", "output_bytes", limits.get("output_bytes", OUTPUT_BYTES), "bytes"),
        ("Calls to the store", "host_calls", limits.get("host_calls", HOST_CALLS), "calls"),
    ):
        if name in used and most:
            yield label, used[name], most, f"{used[name]:,} of {most:,} {unit}"
    # A piece of a model's answer is a token, or nearly.
    tokens = used["llm_tokens"]
    yield "Model", tokens, most_tokens, f"about {tokens:,} of {most_tokens:,} tokens"


def _packed(upload: Upload) -> Line:
    data = base64.b64encode(upload.data).decode()
    return {"name": upload.name, "base64": data, "media_type": upload.media_type}
