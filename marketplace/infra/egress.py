"""The only way out for apps: web requests to allowed names, at addresses looked up and pinned."""

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field

from marketplace.kernel.errors import Forbidden, Invalid, TooLarge, Unavailable

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
PORTS = {"http": 80, "https": 443}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What concerns this connection alone, or says who sends it, is ours to write.
OURS = frozenset(
    "accept-encoding connection content-length expect host keep-alive proxy-authorization "
    "proxy-connection te trailer transfer-encoding upgrade".split()
)
# IPv6 with an IPv4 address inside, which is where it leads: NAT64, Teredo and 6to4.
CARRIERS = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "2001::/32", "2002::/16")))
# `*.example.org` would take anything that ends so.
HOST = re.compile(r"[a-z0-9._-]+")
# What stays as it is in a path and a query; all else, such as a space or “é”, is escaped.
SAFE = "/%:?#[]@!$&'()*+,;=-._~"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]


class EgressSettings(BaseModel):
    """How much one web request of an app may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout_s: float = Field(
        20, gt=0, description="Longest web request of an app, with its redirects, s."
    )
    response_bytes: int = Field(
        512 * 1024, ge=1, description="Longest answer an app may fetch, bytes."
    )
    request_bytes: int = Field(256 * 1024, ge=0, description="Longest body an app may send, bytes.")
    max_redirects: int = Field(3, ge=0, description="Redirects that are followed, count.")


class OffList(Forbidden):
    """The address is not one the app's manifest names."""


class NotPublic(Forbidden):
    """The name leads to an address that is not on the public internet."""


class BadRequest(Invalid):
    """The request is not one that can be sent."""


class SecretElsewhere(Forbidden):
    """A secret was to go where its setting does not send it."""


class AnswerTooLong(TooLarge):
    """The answer is longer than an app may fetch."""


class NoAnswer(Unavailable):
    """The host could not be reached, broke off, or took too long."""


@dataclass(frozen=True)
class Request:
    """One request; the body is sent as it is."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Secret:
    """A person's secret, and the only place it is sent to.

    Args:
        placeholder: what stands for it in the app's request.
        header: the only header it may be in; `host`: the only one it goes to, over https.
    """

    placeholder: str
    value: str = field(repr=False)
    header: str
    host: str


@dataclass(frozen=True)
class Response:
    """The answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name, as the system knows it. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def connect(address: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to an address; nothing is looked up. Raises: OSError."""
    return socket.create_connection((address, port), timeout=timeout_s)


def is_public(address: str) -> bool:
    """Whether an address is on the public internet, whichever way it is written."""
    found: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if any(found in carrier for carrier in CARRIERS):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def is_allowed(host: str, allow: Collection[str]) -> bool:
    """Whether a host is named: itself, or by `*.example.org` as one below it."""
    return any(host.endswith(name[1:]) if name.startswith("*.") else host == name for name in allow)


class Egress:
    """Sends the requests of apps.

    Args:
        resolve, connect: how names become addresses and addresses connections; a test's own.
    """

    def __init__(
        self,
        settings: EgressSettings,
        *,
        resolve: Resolve = resolve,
        connect: Connect = connect,
    ) -> None:
        self._settings = settings
        self._resolve = resolve
        self._connect = connect
        self._tls = ssl.create_default_context()

    def fetch(
        self,
        request: Request,
        *,
        allow: Collection[str],
        secrets: Collection[Secret] = (),
        spend: Callable[[], None] = lambda: None,
    ) -> Response:
        """Send one request and follow its redirects, each held to the same rules.

        Args:
            allow: host names, and `*.example.org` for all below it.
            secrets: put in place of their placeholders on the wire, and taken out of the answer.
            spend: called before the request and each redirect; what it raises ends them.
        Raises: OffList, NotPublic, BadRequest, SecretElsewhere, AnswerTooLong, NoAnswer.
        """
        if len(request.body) > self._settings.request_bytes:
            raise BadRequest("The body of the request is too long.", rule="http.too-long")
        deadline = time.monotonic() + self._settings.timeout_s
        for _ in range(self._settings.max_redirects + 1):
            spend()
            answer = self._once(request, allow, secrets, deadline)
            following = _following(request, answer)
            if following is None:
                return _without(secrets, answer)
            request = following
        raise NoAnswer("The host redirects in a circle.", rule="http.redirects")

    def _once(
        self,
        request: Request,
        allow: Collection[str],
        secrets: Collection[Secret],
        deadline: float,
    ) -> Response:
        parts, host, port = _target(request, allow)
        request = _with(secrets, request, parts.scheme, host)
        address = self._pinned(host, port)
        path = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe=SAFE)
        try:
            left_s = max(0.001, deadline - time.monotonic())
            with closing(self._connect(address, port, left_s)) as plain:
                return self._exchange(plain, (parts.scheme, host, path), request, deadline)
        except (OSError, http.client.HTTPException) as error:
            late = time.monotonic() >= deadline
            said = "took too long" if late else "could not be reached or broke off"
            rule = "http.timeout" if late else "http.unreachable"
            raise NoAnswer(f"“{host}” {said}. Try again later.", rule=rule) from error
        except ValueError:
            # What http.client says of it quotes the value, which may be a secret.
            message = "A header holds a character that none may hold, such as a line break."
            raise BadRequest(message, rule="http.header") from None

    def _pinned(self, host: str, port: int) -> str:
        try:
            addresses = self._resolve(host, port)
        except OSError as error:
            raise NoAnswer(
                f"“{host}” was not found: the name is wrong, or this store cannot reach the web.",
                rule="http.no-host",
            ) from error
        # One private address among public ones is a trap, not a mistake.
        if not addresses or not all(map(is_public, addresses)):
            raise NotPublic(
                f"“{host}” is not on the public internet, so apps cannot reach it.",
                rule="http.not-public",
            )
        return addresses[0]

    def _exchange(
        self,
        plain: socket.socket,
        target: tuple[str, str, str],
        request: Request,
        deadline: float,
    ) -> Response:
        scheme, host, path = target
        sock = plain
        if scheme == "https":
            # It takes the plain socket's place, also in the alarm; so the handshake comes later.
            sock = self._tls.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        # The connection is ours already, so this one looks nothing up and connects nowhere.
        connection = http.client.HTTPConnection(host)
        connection.sock = sock
        with closing(connection), _ended_at(deadline, sock):
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            headers = {**request.headers, "Host": host, "Accept-Encoding": "identity"}
            body = request.body or None
            connection.request(request.method, path, body=body, headers=headers)
            with closing(connection.getresponse()) as answer:
                data = answer.read(self._settings.response_bytes + 1)
                found = {name.lower(): value for name, value in answer.getheaders()}
                status = answer.status
            if time.monotonic() >= deadline:
                # What was hung up on looks like an answer that came to its end.
                raise TimeoutError
            if len(data) > self._settings.response_bytes:
                kilobytes = self._settings.response_bytes // 1024
                raise AnswerTooLong(
                    f"“{host}” answered with more than {kilobytes} KB.", rule="http.too-large"
                )
            return Response(status, found, data)


@contextmanager
def _ended_at(deadline: float, sock: socket.socket) -> Iterator[None]:
    """Hang up when it is late: a host that sends a byte at a time keeps every single wait short."""
    alarm = threading.Timer(max(0.001, deadline - time.monotonic()), _hang_up, [sock])
    alarm.start()
    try:
        yield
    finally:
        alarm.cancel()


def _hang_up(sock: socket.socket) -> None:
    try:
        # The socket's own way: TLS would forget its keys in the middle of a read.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        # It has ended by itself in this very moment.
        return


def _target(request: Request, allow: Collection[str]) -> tuple[SplitResult, str, int]:
    if request.method not in METHODS:
        raise BadRequest(f"The method is one of {', '.join(sorted(METHODS))}.", rule="http.method")
    if ours := sorted(OURS & {name.lower() for name in request.headers}):
        raise BadRequest(f"The store writes the header {ours[0]} itself.", rule="http.header")
    if not request.url.isprintable():
        # The parser would drop a line break, and so go elsewhere than a reader of the log sees.
        raise BadRequest("A web address holds printable characters only.", rule="http.url")
    try:
        parts = urlsplit(request.url)
        host = (parts.hostname or "").encode("idna").decode().lower().rstrip(".")
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise BadRequest("That is not a web address.", rule="http.url") from error
    if port != PORTS.get(parts.scheme) or parts.username is not None:
        raise BadRequest("An address is http:// or https:// with a host.", rule="http.url")
    if not is_allowed(host, allow):
        raise OffList(
            f"This app may not reach “{host}”: its caravan.toml does not name it under [network].",
            rule="http.off-list",
        )
    if not HOST.fullmatch(host):
        raise BadRequest("That is not a web address.", rule="http.url")
    return parts, host, port


def _with(secrets: Collection[Secret], request: Request, scheme: str, host: str) -> Request:
    """The request with the secrets in their places. Raises: SecretElsewhere."""
    headers = dict(request.headers)
    for secret in secrets:
        if secret.placeholder in unquote(request.url):
            raise _elsewhere(secret, "an address")
        for name, value in headers.items():
            if secret.placeholder not in value:
                continue
            if name.lower() != secret.header.lower():
                raise _elsewhere(secret, f"the header {name}")
            if scheme != "https" or not is_allowed(host, [secret.host]):
                raise _elsewhere(secret, f"{scheme}://{host}")
            headers[name] = value.replace(secret.placeholder, secret.value)
    return replace(request, headers=headers)


def _elsewhere(secret: Secret, where: str) -> SecretElsewhere:
    return SecretElsewhere(
        f"“{secret.placeholder}” is sent in the header {secret.header} to https://{secret.host} "
        f"alone, and not in or to {where}.",
        rule="http.secret",
    )


def _told(secrets: Collection[Secret], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret.value, secret.placeholder)
    return text


def _without(secrets: Collection[Secret], answer: Response) -> Response:
    """The answer of a host that says back what it was sent, as the app may see it."""
    body = answer.body
    for secret in secrets:
        body = body.replace(secret.value.encode(), secret.placeholder.encode())
    headers = {name: _told(secrets, value) for name, value in answer.headers.items()}
    return replace(answer, headers=headers, body=body)


def _following(request: Request, answer: Response) -> Request | None:
    """The request a redirect asks for, or None where the answer stands."""
    where = answer.headers.get("location")
    if answer.status not in REDIRECTS or where is None or request.method not in {"GET", "HEAD"}:
        return None
    url = urljoin(request.url, where)
    before, after = urlsplit(request.url), urlsplit(url)
    if before.netloc == after.netloc and after.scheme in {before.scheme, "https"}:
        return replace(request, url=url)
    # Another host, and whoever listens where nothing is encrypted, learns nothing of the headers.
    return Request(request.method, url)
