"""A small internet: names that lead anywhere, and one web site on loopback behind all of them."""

import socket
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

import pytest

from marketplace.infra.egress import Egress, EgressSettings, Request
from marketplace.kernel.errors import CaravanError

PUBLIC = "93.184.215.14"
ALLOW = ("example.org", "*.example.net")


class Site(BaseHTTPRequestHandler):
    """A web site on loopback that answers by path."""

    seen: ClassVar[list[tuple[str, str, dict[str, str], bytes]]] = []

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append((self.command, self.path, headers, body))
        path, _, after = self.path.partition("?")
        self.send_response(302 if path == "/hop" else 200)
        if path == "/hop":
            self.send_header("Location", after)
        self.send_header("X-Kind", "site")
        if path == "/echo":
            self.send_header("X-Echo", headers.get("authorization", ""))
        self.end_headers()
        if path == "/drip":
            self._drip()
        elif path == "/echo":
            self.wfile.write(headers.get("authorization", "").encode())
        elif path != "/hop":
            self.wfile.write(b"x" * 2000 if path == "/long" else b"hello")

    def _drip(self) -> None:
        try:
            while True:
                self.wfile.write(b"x")
                time.sleep(0.02)
        except OSError:
            return

    do_POST = do_GET  # noqa: N815  (the server's own name for it)

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


class Net:
    """Names and connections of a small internet, all of which end at the site."""

    def __init__(self, port: int, names: dict[str, list[Sequence[str]]] | None = None) -> None:
        self.port = port
        self.names = names or {}
        self.reached: list[tuple[str, int]] = []
        Site.seen.clear()
        limits = EgressSettings(timeout_s=0.8, response_bytes=1024, request_bytes=100)
        self.egress = Egress(limits, resolve=self.resolve, connect=self.connect)

    def resolve(self, host: str, port: int) -> Sequence[str]:
        answers = self.names.get(host, [[PUBLIC]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        self.reached.append((address, port))
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def rule(self, url: str, method: str = "GET", **given: Any) -> str:
        with pytest.raises(CaravanError) as refused:
            self.egress.fetch(Request(method, url, **given), allow=ALLOW)
        assert refused.value.message.endswith(".")
        return refused.value.rule or ""
