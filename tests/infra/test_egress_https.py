"""Web addresses that begin with https, and the secrets that may go there alone."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from marketplace.infra.egress import BadRequest, Request, Secret, SecretElsewhere
from tests.infra.small_internet import ALLOW, Net, Site


@pytest.fixture
def secure_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A site that speaks TLS and is trusted as example.org."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.org")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("example.org")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "site.pem"
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    written = certificate.public_bytes(serialization.Encoding.PEM)
    pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain) + written)
    ours = ssl.create_default_context(cafile=str(pem))
    monkeypatch.setattr(ssl, "create_default_context", lambda: ours)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    server.socket = theirs.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_an_answer_has_an_end_behind_tls_too(secure_port: int) -> None:
    net = Net(secure_port)
    answer = net.egress.fetch(Request("GET", "https://example.org/"), allow=ALLOW)
    assert answer.body == b"hello"
    began = time.monotonic()
    assert net.rule("https://example.org/drip") == "http.timeout"
    assert time.monotonic() - began < 5


def test_a_host_that_does_not_speak_tls_is_told(port: int) -> None:
    assert Net(port).rule("https://example.org/") == "http.unreachable"


TOKEN = Secret("{{secret:token}}", "hunter2", "Authorization", "example.org")


class Plain:
    """Stands for TLS: the site on loopback has no certificate."""

    def wrap_socket(self, sock: socket.socket, **_: object) -> socket.socket:
        return sock


@pytest.fixture
def net(port: int, monkeypatch: pytest.MonkeyPatch) -> Net:
    monkeypatch.setattr(ssl, "create_default_context", Plain)
    return Net(port)


def sent(net: Net, url: str, **given: Any) -> Any:
    return net.egress.fetch(Request("GET", url, **given), allow=ALLOW, secrets=[TOKEN])


def test_a_secret_goes_in_its_header_to_its_host(net: Net) -> None:
    sent(net, "https://example.org/", headers={"authorization": "Bearer {{secret:token}}"})
    assert Site.seen[0][2]["authorization"] == "Bearer hunter2"


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("https://a.example.net/", {"Authorization": "{{secret:token}}"}),
        ("http://example.org/", {"Authorization": "{{secret:token}}"}),
        ("https://example.org/", {"X-Other": "{{secret:token}}"}),
        ("https://example.org/?q={{secret:token}}", {}),
        ("https://example.org/%7B%7Bsecret:token%7D%7D", {}),
    ],
)
def test_a_secret_goes_nowhere_else(net: Net, url: str, headers: dict[str, str]) -> None:
    with pytest.raises(SecretElsewhere) as refused:
        sent(net, url, headers=headers)
    assert refused.value.rule == "http.secret"
    assert "hunter2" not in refused.value.message
    assert Site.seen == []


def test_a_placeholder_in_a_body_or_of_another_app_stays_what_it_is(net: Net) -> None:
    headers = {"Authorization": "{{secret:other}}"}
    sent(net, "https://example.org/", headers=headers, body=b"{{secret:token}}")
    assert Site.seen[0][2]["authorization"] == "{{secret:other}}"
    assert Site.seen[0][3] == b"{{secret:token}}"


def test_a_secret_does_not_follow_a_redirect_away(net: Net) -> None:
    headers = {"Authorization": "{{secret:token}}"}
    for target in ("https://a.example.net/", "http://example.org/"):
        Site.seen.clear()
        sent(net, f"https://example.org/hop?{target}", headers=headers)
        assert [seen[2].get("authorization") for seen in Site.seen] == ["hunter2", None]
    Site.seen.clear()
    sent(net, "https://example.org/hop?/", headers=headers)
    assert [seen[2].get("authorization") for seen in Site.seen] == ["hunter2", "hunter2"]


def test_an_app_does_not_see_a_secret_that_is_said_back(net: Net) -> None:
    answer = sent(net, "https://example.org/echo", headers={"Authorization": "{{secret:token}}"})
    assert answer.body == b"{{secret:token}}"
    assert answer.headers["x-echo"] == "{{secret:token}}"


def test_a_secret_that_would_be_two_headers_is_not_sent_nor_told(net: Net) -> None:
    broken = Secret(TOKEN.placeholder, "hunter2\r\nHost: inside", TOKEN.header, TOKEN.host)
    request = Request("GET", "https://example.org/", {"Authorization": TOKEN.placeholder})
    with pytest.raises(BadRequest) as refused:
        net.egress.fetch(request, allow=ALLOW, secrets=[broken])
    assert refused.value.rule == "http.header"
    assert "hunter2" not in refused.value.message
    assert Site.seen == []
    assert "hunter2" not in repr(broken)
