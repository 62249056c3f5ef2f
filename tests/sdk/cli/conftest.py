"""A command line with its own config folder, and a store that answers on this machine."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from caravan.cli import main
from click.testing import CliRunner, Result

from tests.factories.serving import serving
from tests.sdk.bundles import write_folder


@dataclass
class Terminal:
    """Runs `caravan …`."""

    folder: Path

    def run(self, *words: str | Path, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words], input=stdin)

    def json(self, *words: str | Path) -> dict[str, Any]:
        """The object a command prints with --json."""
        value: dict[str, Any] = json.loads(self.run(*words, "--json").stdout)
        return value


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("CARAVAN_CONFIG_DIR", str(tmp_path / "config"))
    for name in ("CARAVAN_STORE", "CARAVAN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path)


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "echo")


@dataclass
class FakeStore:
    """Answers requests with what a test has laid ready, and remembers them."""

    url: str
    answers: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, str | None, bytes]] = field(default_factory=list)
    media_type: str | None = None


@pytest.fixture
def store() -> Iterator[FakeStore]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            token = self.headers.get("authorization")
            fake.asked.append((self.command, self.path, token, body))
            status, answer = fake.answers.pop(0)
            plain = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            kind = "application/json" if status < 400 else "application/problem+json"
            self.send_response(status)
            self.send_header("Content-Type", fake.media_type or kind)
            self.send_header("Content-Length", str(len(plain)))
            self.end_headers()
            self.wfile.write(plain)

        do_POST = do_GET  # noqa: N815  (the name is http.server's)

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake = FakeStore(f"http://127.0.0.1:{server.server_port}")
    with serving(server):
        yield fake
