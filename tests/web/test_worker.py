"""The hardened worker: clients that are slow, silent or never close hold nobody else up."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
REQUEST = b"GET /short HTTP/1.1\r\nHost: store\r\nConnection: close\r\n\r\n"


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


def test_clients_that_never_finish_their_request_do_not_hold_up_others(port: int) -> None:
    silent = [connect(port) for _ in range(20)]
    for client in silent:
        client.sendall(b"GET /short HTTP/1.1\r\nHo")
    assert max(short_request_s(port) for _ in range(5)) < 1.5
    for client in silent:
        client.close()


def test_open_streams_leave_room_for_short_requests(port: int) -> None:
    streams = [connect(port) for _ in range(20)]
    for client in streams:
        client.sendall(b"GET /stream HTTP/1.1\r\nHost: store\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    assert max(short_request_s(port) for _ in range(5)) < 1.5
    for client in streams:
        client.close()
