"""The hardened worker: clients that are slow, silent or never close hold nobody else up."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from marketplace.web.worker import has_arrived

ROOT = Path(__file__).parent.parent.parent
REQUEST = b"GET /short HTTP/1.1\r\nHost: store\r\nConnection: close\r\n\r\n"
# How clients begin that never finish.
UNFINISHED = {
    b"": "silent",
    b"GET /short HTTP/1.1\r\nHo": "half a head",
    b"POST /short HTTP/1.1\r\nHost: store\r\nContent-Length: 500\r\n\r\nab": "half a form",
    REQUEST.replace(b"close", b"keep-alive") + b"GET /sho": "half the next one",
}


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def short_request_s(port: int) -> float:
    """How long one whole short request takes."""
    started = time.monotonic()
    with connect(port) as client:
        client.sendall(REQUEST)
        answer = b""
        while chunk := client.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return time.monotonic() - started


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "tests.web.served", str(number)], cwd=ROOT)
    deadline = time.monotonic() + 30
    while True:
        try:
            short_request_s(number)
            break
        except OSError:
            assert time.monotonic() < deadline, "the server did not start"
            assert server.poll() is None, "the server ended"
    yield number
    server.terminate()
    server.wait()


def test_clients_that_never_close_do_not_hold_up_others(port: int) -> None:
    lingering = [connect(port) for _ in range(20)]
    for client in lingering:
        client.sendall(REQUEST)
    # gthread as shipped waits two seconds for each of the twenty on its main loop.
    assert max(short_request_s(port) for _ in range(5)) < 1.5
    for client in lingering:
        client.close()


@pytest.mark.parametrize("beginning", UNFINISHED, ids=UNFINISHED.values())
def test_clients_that_never_finish_their_request_do_not_hold_up_others(
    port: int, beginning: bytes
) -> None:
    # Six for each thread, and more than the worker may be at work for.
    silent = [connect(port) for _ in range(200)]
    for client in silent:
        client.sendall(beginning)
    assert max(short_request_s(port) for _ in range(5)) < 1.5
    for client in silent:
        client.close()


def said(client: socket.socket, answers: int) -> bytes:
    """What comes until so many answers have ended in ok."""
    data = b""
    while data.count(b"\r\n\r\nok") < answers:
        chunk = client.recv(4096)
        assert chunk, data
        data += chunk
    return data


def test_a_request_may_come_in_parts_and_two_together(port: int) -> None:
    with connect(port) as client:
        for part in (b"POST /echo HTT", b"P/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", b"o"):
            client.sendall(part)
        client.sendall(b"kGET /short HTTP/1.1\r\nHost: store\r\n\r\nGET /sho")
        assert said(client, 2).count(b"HTTP/1.1 200") == 2
        client.sendall(b"rt HTTP/1.1\r\nHost: store\r\n\r\n")
        assert said(client, 1).startswith(b"HTTP/1.1 200")


def test_who_waits_for_our_word_before_the_body_gets_it(port: int) -> None:
    with connect(port) as client:
        head = (
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        client.sendall(head)
        assert client.recv(4096).startswith(b"HTTP/1.1 100")
        client.sendall(b"ok")
        assert said(client, 1).startswith(b"HTTP/1.1 200")


def test_a_long_question_is_answered_and_one_without_an_end_is_not(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"GET /short?q=" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: store\r\n\r\n")
        assert said(client, 1).startswith(b"HTTP/1.1 200")
    with connect(port) as client:
        with suppress(OSError):  # the door may close while we talk
            client.sendall(b"GET /short?q=" + b"a" * 300_000)
        with suppress(ConnectionResetError):
            client.settimeout(5)  # long before it would be too slow
            assert not client.recv(4096).startswith(b"HTTP/1.1 2")


@pytest.mark.parametrize(
    ("data", "has"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", False),
        (b"POST / HTTP/1.1\r\ncontent-length:3\r\n\r\nabc", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", True),
        # What is large is read by the thread that looks into it.
        (b"POST / HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", True),
    ],
)
def test_a_request_has_arrived_once_it_can_be_served(data: bytes, has: bool) -> None:  # noqa: FBT001
    assert has_arrived(bytearray(data)) is has


def test_open_streams_leave_room_for_short_requests(port: int) -> None:
    streams = [connect(port) for _ in range(20)]
    for client in streams:
        client.sendall(b"GET /stream HTTP/1.1\r\nHost: store\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    assert max(short_request_s(port) for _ in range(5)) < 1.5
    for client in streams:
        client.close()
