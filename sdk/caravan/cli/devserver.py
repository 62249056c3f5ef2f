"""The local server behind `caravan dev`. It listens on this machine alone."""

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from caravan import bundle, forms, schema
from caravan.bundle import LEFT_OUT
from caravan.cli import drawing
from caravan.cli.bench import Asked, Bench, Line, opened_of, usage_rows
from caravan.cli.replies import Question
from caravan.house import house
from caravan.testing import Upload

OWN_FILES = {"/dev.css": "dev.css", "/dev.js": "dev.js"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; font-src 'self'; form-action 'self'; base-uri 'none'"
)
MAX_BODY_BYTES = 16 * 2**20


@dataclass
class Started:
    """One run: asked for with the form, begun when its events are followed.

    Args:
        question: the form it waits for; `asked_count` says how many it has shown.
    """

    opened: bundle.Bundle
    asked: Asked
    stop: threading.Event = field(default_factory=threading.Event)
    is_begun: bool = False
    question: Question | None = None
    asked_count: int = 0

    def end(self) -> None:
        """Stop it, and wait for nobody any more."""
        self.stop.set()
        self.question = None
        self.asked.replies.end()

    def ask(self, title: str, schema: Line) -> Question:
        """Show one form."""
        self.asked_count += 1
        self.question = Question(self.asked_count, title, schema)
        return self.question


class DevServer(ThreadingHTTPServer):
    """Serves one app's folder."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int, bench: Bench, model: str = "pretended") -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folder = folder.resolve()
        self.bench = bench
        self.model = model
        self.runs: dict[str, Started] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._known: tuple[str, Line] = ("", {})

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
        seen = files = 0
        for path in self.folder.rglob("*"):
            parts = path.relative_to(self.folder).parts
            if LEFT_OUT.intersection(parts) or not path.is_file():
                continue
            files += 1
            seen = max(seen, path.stat().st_mtime_ns)
        return f"{seen}-{files}"

    def about(self) -> Line:
        """The app's name and its actions, or the problem that hides them; kept until a save."""
        with self._lock:
            version = self.version()
            if self._known[0] != version:
                self._known = (version, self._about())
            return self._known[1]

    def _about(self) -> Line:
        opened = opened_of(self.folder)
        if not isinstance(opened, bundle.Bundle):
            return {"name": self.folder.name, "summary": "", **opened}
        app = opened.manifest.app
        found = self.bench.describe(opened, self.folder)
        return {"name": app.name, "summary": app.summary, "problem": "", **found}

    def icon(self) -> tuple[bytes, str]:
        """The app's icon and its type; nothing where there is none yet."""
        opened = opened_of(self.folder)
        if not isinstance(opened, bundle.Bundle):
            return b"", "image/svg+xml"
        path = opened.manifest.app.icon
        return opened.files.get(path, b""), guess_type(path)[0] or "image/svg+xml"

    def start(self, texts: Mapping[str, str], uploads: Mapping[str, Upload]) -> str | Line:
        """Take a form; the run's id, or the words and errors to draw the form with again."""
        about = self.about()
        opened = opened_of(self.folder)
        action = _chosen(about, texts.get("-action", ""))
        if action is None or not isinstance(opened, bundle.Bundle):
            return {"values": {}, "errors": {}}
        wanted = action["input_schema"]
        stand_ins = {
            name: {"file": "", "name": each.name, "media_type": "", "size_bytes": len(each.data)}
            for name, each in uploads.items()
        }
        values = forms.values_of(texts, wanted, stand_ins)
        if errors := schema.check(values, wanted):
            return {"values": forms.typed(texts, wanted), "errors": errors}
        plain = {name: value for name, value in values.items() if name not in uploads}
        # One that waits for an answer on a page that is left would hold the sandbox.
        for other in self.runs.values():
            other.end()
        run = str(next(self._numbers))
        self.runs[run] = Started(opened, Asked(action["name"], plain, uploads))
        return run

    def answer(self, run: str, texts: Mapping[str, str]) -> str:
        """Take the answer to the form a run waits for; the form again where it does not fit.

        One that is answered already, or of a run that is over, changes nothing.
        """
        started = self.runs.get(run)
        question = started.question if started else None
        if started is None or question is None or str(question.number) != texts.get("-number"):
            return ""
        values = forms.values_of(texts, question.schema)
        if errors := schema.check(values, question.schema):
            return _drawn(run, question, forms.typed(texts, question.schema), errors)
        started.question = None
        started.asked.replies.give(values)
        return ""

    def page(self, template: str, action: str, run: str, **given: Any) -> str:
        """The page, or its form alone."""
        about = self.about()
        started = self.runs.get(run)
        typed = started.asked.values if started else {}
        return drawing.draw(
            template,
            about=about,
            chosen=_chosen(about, action),
            run=run if started else "",
            where=self.bench.name,
            model=self.model,
            version=self.version(),
            **{"values": typed, "errors": {}, **given},
        )

    def events(self, run: str) -> Iterator[tuple[str, Line] | None]:
        """The events of one run, as the store's page wants them; None where none has come yet."""
        started = self.runs.get(run)
        if started is None or started.is_begun:
            yield "done", {"state": "finished"}
            return
        started.is_begun = True
        state, calls = "finished", []
        try:
            for line in self.bench.run(started.opened, self.folder, started.asked, started.stop):
                match line["kind"]:
                    case "call":
                        calls.append((line["op"], line["payload"]))
                        if line["op"] == "output.progress":
                            yield "progress", line["payload"]
                    case "text":
                        yield "text", _text(line)
                    case "quiet":
                        yield None
                    case "ask":
                        question = started.ask(line["title"], line["schema"])
                        html = _drawn(run, question, {}, {})
                        yield "question", {"number": question.number, "html": html}
                    case "answered":
                        yield "question", {"number": started.asked_count, "html": ""}
                    case "error" | "end":
                        state = _state(line, started)
                        yield from _ending(line, state)
                        most = started.opened.manifest.limits.llm_tokens
                        rows = list(usage_rows(line["used"], most))
                        usage = drawing.draw("usage.html", rows=rows, calls=calls)
                        yield "receipt", {"html": usage}
                    case _:
                        yield "item", {"html": drawing.item_html(line)}
            if state == "finished" and started.stop.is_set():
                state = "stopped"
        finally:
            started.end()
        yield "done", {"state": state}


def _drawn(run: str, question: Question, values: Line, errors: Mapping[str, str]) -> str:
    """The store's own form in the middle of a run; here it waits as long as the page is open."""
    shown = {"until": None, "url": f"/runs/{run}/answers", "values": values, "errors": errors}
    return drawing.draw("runs/_question.html", question={**vars(question), **shown})


def _chosen(about: Line, name: str) -> Line | None:
    actions: list[Line] = about.get("actions", [])
    return next((each for each in actions if each["name"] == name), actions[0] if actions else None)


def _text(line: Line) -> Line:
    return {"text": line["text"], "markdown": line.get("format") == "markdown"}


def _state(line: Line, started: Started) -> str:
    if started.stop.is_set():
        return "stopped"
    return "failed" if line["kind"] == "error" else "finished"


def _ending(line: Line, state: str) -> Iterator[tuple[str, Line]]:
    if state != "failed":
        return
    if line["traceback"]:
        trace = {"kind": "text", "text": line["traceback"]}
        yield "text", _text({**trace, "text": f"\n{line['traceback']}"})
    yield "failed", {"message": line["message"]}


class _Handler(BaseHTTPRequestHandler):
    """The page, its parts, and the runs."""

    server: DevServer

    def do_GET(self) -> None:
        """The page, `/icon`, `/version`, static files, and `/runs/<id>/events`."""
        if not self._is_local():
            return
        address = urlsplit(self.path)
        words = {name: values[-1] for name, values in parse_qs(address.query).items()}
        parts = address.path.strip("/").split("/")
        if address.path == "/":
            page = self.server.page("index.html", words.get("action", ""), words.get("run", ""))
            self._answer(page.encode(), "text/html; charset=utf-8")
        elif address.path == "/icon":
            self._answer(*self.server.icon())
        elif address.path == "/version":
            self._answer(self.server.version().encode(), "text/plain")
        elif address.path in OWN_FILES:
            self._send_file(drawing.PAGE, OWN_FILES[address.path])
        elif parts[0] == "static":
            self._send_file(house("static"), "/".join(parts[1:]))
        elif parts[0] == "runs" and parts[-1] == "events":
            self._stream(parts[1])
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        """`/runs` with the form, `/panel` to draw it anew, `/runs/<id>/answers` and `…/stop`."""
        size = int(self.headers.get("content-length") or 0)
        if not self._is_local():
            return
        # A page of another site may send a form here; its browser says where it comes from.
        if self.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            self.send_error(403)
            return
        if size > MAX_BODY_BYTES:
            self.send_error(413)
            return
        body = self.rfile.read(size)
        parts = self.path.strip("/").split("/")
        if parts[0] == "runs" and parts[-1] == "stop":
            if started := self.server.runs.get(parts[1]):
                started.end()
            self._answer(b"", "text/plain", status=204)
            return
        texts, uploads = _form(self.headers.get("content-type") or "", body)
        if parts[0] == "runs" and parts[-1] == "answers":
            again = self.server.answer(parts[1], texts)
            self._answer(again.encode(), "text/html; charset=utf-8", status=422 if again else 204)
            return
        action = texts.get("-action", "")
        if parts == ["panel"]:
            chosen = _chosen(self.server.about(), action)
            typed = forms.typed(texts, chosen["input_schema"]) if chosen else {}
            page = self.server.page("saved.html", action, "", values=typed)
            self._answer(page.encode(), "text/html; charset=utf-8")
            return
        if parts != ["runs"]:
            self.send_error(404)
            return
        started_or_not = self.server.start(texts, uploads)
        if isinstance(started_or_not, str):
            self.send_response(303)
            self.send_header("Location", f"/?action={action}&run={started_or_not}")
            self.end_headers()
        else:
            page = self.server.page("index.html", action, "", **started_or_not)
            self._answer(page.encode(), "text/html; charset=utf-8", status=422)

    def _stream(self, run: str) -> None:
        self._begin("text/event-stream", 200)
        events = self.server.events(run)
        try:
            for number, event in enumerate(events, start=1):
                # A comment keeps the stream open, and tells us where nobody reads it any more.
                text = ":\n\n"
                if event is not None:
                    name, data = event
                    text = f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n"
                self.wfile.write(text.encode())
                self.wfile.flush()
        except OSError:
            # The page was closed: the run ends with its reader.
            self.close_connection = True
        finally:
            events.close()  # type: ignore[attr-defined]  # a generator

    def _is_local(self) -> bool:
        """Refuse other names for this machine, so that no web site can reach the app."""
        host = (self.headers.get("host") or "").rsplit(":", 1)[0]
        if host in {"127.0.0.1", "localhost"}:
            return True
        self.send_error(403)
        return False

    def _send_file(self, folder: Path, name: str) -> None:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            self.send_error(404)
            return
        self._answer(path.read_bytes(), guess_type(name)[0] or "application/octet-stream")

    def _begin(self, kind: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()

    def _answer(self, body: bytes, kind: str, status: int = 200) -> None:
        self._begin(kind, status)
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the page shows what happens."""


def _form(kind: str, body: bytes) -> tuple[dict[str, str], dict[str, Upload]]:
    """A multipart form as texts and files."""
    head = b"Content-Type: " + kind.encode() + b"\n\n"
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    texts: dict[str, str] = {}
    uploads: dict[str, Upload] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        data = bytes(part.get_payload(decode=True) or b"")
        file = part.get_filename()
        if file:
            uploads[name] = Upload(file, data, part.get_content_type())
        elif part.get_param("filename", header="content-disposition") is None:
            texts[name] = data.decode()
    return texts, uploads
