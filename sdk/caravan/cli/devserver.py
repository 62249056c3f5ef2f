"""The local server behind `caravan dev`. It listens on this machine alone."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from caravan.bundle import LEFT_OUT
from caravan.cli.output import Failure
from caravan.cli.project import manifest_of

PAGE = Path(__file__).parent / "page"
FILES = {
    "/": ("index.html", "text/html"),
    "/dev.css": ("dev.css", "text/css"),
    "/dev.js": ("dev.js", "text/javascript"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
)
RUN_LIMIT_S = 300
MAX_BODY_BYTES = 2**20


@dataclass(frozen=True)
class Upstreams:
    """What the pretended store stands on."""

    store: str | None = None
    token: str | None = None
    entitlements: Sequence[str] = ()


class DevServer(ThreadingHTTPServer):
    """Serves one app's folder."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int, upstreams: Upstreams) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folder = folder.resolve()
        self.upstreams = upstreams

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error of ours; a page that was closed while it was answered is none."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def version(self) -> str:
        """Changes whenever a file of the app is saved, added or removed."""
        seen = 0
        count = 0
        for path in self.folder.rglob("*"):
            parts = path.relative_to(self.folder).parts
            if LEFT_OUT.intersection(parts) or not path.is_file():
                continue
            count += 1
            seen = max(seen, path.stat().st_mtime_ns)
        return f"{seen}-{count}"

    def icon(self) -> tuple[bytes, str]:
        """The app's icon and its type; nothing where there is none yet."""
        try:
            path = self.folder / manifest_of(self.folder).app.icon
        except Failure:
            return b"", "image/svg+xml"
        kind = "image/png" if path.suffix == ".png" else "image/svg+xml"
        return (path.read_bytes() if path.is_file() else b""), kind

    def guest(self, command: str, **job: Any) -> Iterator[bytes]:
        """The lines of a fresh process that does one job with the app as it is saved now."""
        try:
            manifest = manifest_of(self.folder)
        except Failure as failure:
            yield _line({"kind": "error", "type": "", "message": failure.message, "traceback": ""})
            return
        whole = {
            "command": command,
            "folder": str(self.folder),
            "entry": manifest.runtime.entry,
            "permissions": sorted(manifest.permissions),
            "store": self.upstreams.store,
            "token": self.upstreams.token,
            "entitlements": list(self.upstreams.entitlements),
            **job,
        }
        yield from _lines(whole, manifest.limits.wall_s or RUN_LIMIT_S)

    def about(self) -> dict[str, Any]:
        """What the page shows: the app's name and its actions, or the error that hides them."""
        lines = list(self.guest("describe"))
        about: dict[str, Any] = (
            json.loads(lines[-1])
            if lines
            else {"kind": "error", "message": "The app ended while it was imported."}
        )
        try:
            app = manifest_of(self.folder).app
            about |= {"name": app.name, "summary": app.summary, "version": app.version}
        except Failure:
            about |= {"name": self.folder.name, "summary": "", "version": ""}
        return about | {"model": self.upstreams.store or "pretended"}


def _lines(job: dict[str, Any], limit_s: int) -> Iterator[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "caravan.cli.model" if job["store"] else "caravan.native"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    watchdog = threading.Timer(limit_s, process.kill)
    watchdog.start()
    try:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("A process that was given pipes has none.")
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()
        yield from process.stdout
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


class _Handler(BaseHTTPRequestHandler):
    """The page, what it shows, and one run."""

    server: DevServer

    def do_GET(self) -> None:
        """The page's files, `/about`, `/icon` and `/version`."""
        if not self._is_local():
            return
        if self.path in FILES:
            name, kind = FILES[self.path]
            self._answer((PAGE / name).read_bytes(), f"{kind}; charset=utf-8")
        elif self.path == "/about":
            self._answer(_line(self.server.about()), "application/json")
        elif self.path.split("?")[0] == "/icon":
            self._answer(*self.server.icon())
        elif self.path == "/version":
            self._answer(self.server.version().encode(), "text/plain")
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        """`/run` with {action, values}: the run's lines as they come."""
        size = int(self.headers.get("content-length") or 0)
        # Another site's form cannot send this type, and its script would have to ask first.
        is_json = self.headers.get("content-type") == "application/json"
        if not self._is_local():
            return
        if self.path != "/run" or not is_json or size > MAX_BODY_BYTES:
            self.send_error(400)
            return
        job = json.loads(self.rfile.read(size))
        self._begin("application/x-ndjson")
        lines = self.server.guest("run", action=job["action"], values=job["values"])
        try:
            for line in lines:
                self.wfile.write(line)
                self.wfile.flush()
        except OSError:
            # The page was closed or Stop was pressed: the process ends with its reader.
            self.close_connection = True
        finally:
            lines.close()  # type: ignore[attr-defined]  # a generator

    def _is_local(self) -> bool:
        """Refuse other names for this machine, so that no web site can reach the app."""
        host = (self.headers.get("host") or "").rsplit(":", 1)[0]
        if host in {"127.0.0.1", "localhost"}:
            return True
        self.send_error(403)
        return False

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()

    def _answer(self, body: bytes, kind: str) -> None:
        self._begin(kind)
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the page shows what happens."""
