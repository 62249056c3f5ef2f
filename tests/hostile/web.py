"""Web requests that mean harm: what an app asks for, and the rule that ends its run."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

INTERNET = Path(__file__).parent / "internet"
TOKEN = "hunter2-of-the-person"
MARK = "{{secret:token}}"
BOMB = gzip.compress(b"\0" * 100_000_000)
MANIFEST = """
[limits]
wall_s = 200
cpu_ms = 5000
memory_mb = 64

[[permission]]
name = "net.fetch"
reason = "The attack may need it."

[network]
allow = ["example.org", "*.example.org"]

[[setting]]
name = "token"
type = "secret"
label = "Token"
inject = "header:Authorization"
host = "secret.example.org"
"""
# Asks for one request after another; `is_patient` goes on where one is refused.
APP = """
import gzip, json
from caravan import App, Context, HostError, _host
app = App()


@app.action("Go")
def go(ctx: Context, asked: str):
    asked = json.loads(asked)
    for request in asked["requests"]:
        if "fill" in request:
            request["body_base64"] = "A" * request.pop("fill")
        try:
            answer = _host.call("http.fetch", request)
        except HostError:
            if not asked.get("is_patient"):
                raise
        else:
            if asked.get("unpacks"):
                import base64
                gzip.decompress(base64.b64decode(answer["body_base64"]))
    yield "done"
"""


def get(url: str, **given: Any) -> dict[str, Any]:
    """What the app asks for: one request."""
    return {"requests": [{"url": url, **given}]}


def site(path: str, **given: Any) -> dict[str, Any]:
    """One request to the site that answers as its path says."""
    return get(f"http://public.example.org{path}", **given)


def sending(**headers: str) -> dict[str, Any]:
    """One request with these headers; `_` in a name stands for a dash."""
    return site("/", headers={name.replace("_", "-"): value for name, value in headers.items()})


OFF, URL, INSIDE, HEADER = "http.off-list", "http.url", "http.not-public", "http.header"
SECRET, LATE, BROKEN = "http.secret", "http.timeout", "http.unreachable"
REQUESTS: dict[str, tuple[dict[str, Any], str]] = {
    "this machine by its name": (get("http://localhost/"), OFF),
    "this machine by its address": (get("http://127.0.0.1/"), OFF),
    "an address in octal": (get("http://0177.0.0.1/"), OFF),
    "an address in hexadecimal": (get("http://0x7f.0x0.0x0.0x1/"), OFF),
    "an address as one hexadecimal number": (get("http://0x7f000001/"), OFF),
    "an address as one decimal number": (get("http://2130706433/"), OFF),
    "an address cut short": (get("http://127.1/"), OFF),
    "an address in wide digits": (get("http://１２７。０。０。１/"), OFF),  # noqa: RUF001
    "no address at all": (get("http://0/"), OFF),
    "this machine in IPv6": (get("http://[::1]/"), OFF),
    "IPv4 inside IPv6": (get("http://[::ffff:127.0.0.1]/"), OFF),
    "IPv6 with a zone": (get("http://[fe80::1%25eth0]/"), OFF),
    "the cloud's own secrets": (get("http://169.254.169.254/latest/meta-data/"), OFF),
    "a stranger's host": (get("http://stranger.example/?memory=all"), OFF),
    "a name that only ends alike": (get("http://notexample.org/"), OFF),
    "a name that only begins alike": (get("http://example.org.stranger.example/"), OFF),
    "the allowed name after a hash": (get("http://127.0.0.1#@public.example.org/"), OFF),
    "the allowed name as a user": (get("http://public.example.org@127.0.0.1/"), URL),
    "a user and a word": (get("http://user:word@public.example.org/"), URL),
    "a backslash for a slash": (get("http://public.example.org\\@127.0.0.1/"), URL),
    "an escaped slash in the name": (get("http://stranger.example%2f.example.org/"), URL),
    "a name that is none": (get("http://a..example.org/"), URL),
    "another port": (get("http://public.example.org:22/"), URL),
    "a port beyond ports": (get("http://public.example.org:99999/"), URL),
    "a file as an address": (get("file:///etc/passwd"), URL),
    "another protocol": (get("gopher://public.example.org/_x"), URL),
    "a line break in the path": (site("/a\r\nX-Evil: 1"), URL),
    "a line break in the name": (get("http://public\r\n.example.org/"), URL),
    "a null in the path": (site("/a\0b"), URL),
    "a path that reads backwards": (site("/\u202egpj.exe"), URL),
    "a name that leads inside": (get("http://inside.example.org/"), INSIDE),
    "a name of the cloud's secrets": (get("http://metadata.example.org/"), INSIDE),
    "a name of this machine": (get("http://loopback.example.org/"), INSIDE),
    "a name of IPv4 inside IPv6": (get("http://mapped.example.org/"), INSIDE),
    "a name behind NAT64": (get("http://nat64.example.org/"), INSIDE),
    "one inner address among others": (get("http://mixed.example.org/"), INSIDE),
    "a name that changes where it leads": (
        {"requests": [{"url": "http://turns.example.org/"}] * 2},
        INSIDE,
    ),
    "a redirect inside": (site("/hop?http://inside.example.org/"), INSIDE),
    "a redirect off the list": (site("/hop?http://169.254.169.254/"), OFF),
    "a redirect to a file": (site("/hop?file:///etc/passwd"), URL),
    "a redirect in a circle": (site("/hop?/hop?/hop?/hop?/"), "http.redirects"),
    "a method of its own": (site("/", method="CONNECT"), "http.method"),
    "a method with a second request": (
        site("/", method="GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"),
        "http.method",
    ),
    "another host in the headers": (sending(Host="inside"), HEADER),
    "a length of its own": (sending(Content_Length="0"), HEADER),
    "pieces of its own": (sending(Transfer_Encoding="chunked"), HEADER),
    "a line break in a header": (sending(X_A="a\r\nHost: inside"), HEADER),
    "a line break in a header's name": (sending(**{"X-A: 1\r\nX-B": "1"}), HEADER),
    "a header that is no text": (site("/", headers={"X-A": 1}), HEADER),
    "a body that is no base64": (site("/", method="POST", body_base64="?"), "http.body"),
    "a body without end": (
        site("/", method="POST", fill=360_000),
        "http.too-long",
    ),
    "a secret to another host": (
        get("https://public.example.org/", headers={"Authorization": MARK}),
        SECRET,
    ),
    "a secret without encryption": (
        get("http://secret.example.org/", headers={"Authorization": MARK}),
        SECRET,
    ),
    "a secret in another header": (
        get("https://secret.example.org/", headers={"X-Leak": MARK}),
        SECRET,
    ),
    "a secret in the address": (get(f"https://secret.example.org/?q={MARK}"), SECRET),
    "a secret in the address, escaped": (
        get("https://secret.example.org/?q=%7B%7Bsecret%3Atoken%7D%7D"),
        SECRET,
    ),
    "an answer without end": (site("/long"), "http.too-large"),
    "an answer by drops": (site("/drip"), LATE),
    "no answer": (site("/silent"), LATE),
    "headers by drops": (site("/slow-headers"), LATE),
    "news without an answer": (site("/interim"), LATE),
    "headers without end": (site("/headers"), BROKEN),
    "an answer that is no HTTP": (site("/nonsense"), BROKEN),
    "a host that does not speak TLS": (get("https://public.example.org/"), BROKEN),
    "a packed bomb": ({**site("/bomb"), "unpacks": True}, "limit.memory"),
    "requests without end": (
        {"requests": [{"url": "http://public.example.org/"}] * 60},
        "limit.egress_requests",
    ),
}  # fmt: skip


class Site(BaseHTTPRequestHandler):
    """A web site on loopback that answers by its path, most of them badly."""

    paths: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer as the path says."""
        path, _, after = self.path.partition("?")
        self.paths.append(self.path)
        try:
            match path:
                case "/hop":
                    self._begin(302, Location=after)
                case "/long":
                    self._begin()
                    self.wfile.write(b"x" * 2_000_000)
                case "/bomb":
                    self._begin(**{"Content-Encoding": "gzip"})
                    self.wfile.write(BOMB)
                case "/drip":
                    self._begin()
                    self._for_ever(b"x")
                case "/silent":
                    # Until the store hangs up.
                    self.rfile.read(1)
                case "/slow-headers":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: ")
                    self._for_ever(b"a")
                case "/interim":
                    self._for_ever(b"HTTP/1.1 100 Continue\r\n\r\n")
                case "/headers":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-A: a\r\n" * 2_000 + b"\r\n")
                case "/nonsense":
                    self.wfile.write(b"\0\xff" * 50)
                case _:
                    self._begin()
                    self.wfile.write(b"hello")
        except OSError:
            return

    do_POST = do_GET  # noqa: N815  (the server's own name for it)

    def _begin(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _for_ever(self, text: bytes) -> None:
        pause = threading.Event()
        while not pause.wait(0.02):
            self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


@contextmanager
def open_site() -> Iterator[int]:
    """The site, open on a port of loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
