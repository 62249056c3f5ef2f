"""Visitors who do little, servers they visit, and the figures of their waiting."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parents[2]
OPEN_TIMEOUT_S = 60
PATIENCE_S = 60
ROUND_S = 2.0


def percentile(times: Sequence[float], percent: int) -> float:
    """The time that so many of a hundred keep, to a hundredth."""
    return round(quantiles(times, n=100, method="inclusive")[percent - 1], 2)


class Visitor:
    """One browser that does little, so that the server is what is measured."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        cookie = "Cookie: caravan_visitor=a-visitor\r\n"
        self._request = f"GET {path} HTTP/1.1\r\nHost: store\r\n{cookie}\r\n".encode()

    def get(self) -> bytes:
        """One page's body, over a connection of its own."""
        with socket.create_connection(("127.0.0.1", self._port), PATIENCE_S) as connection:
            return self._ask(connection)

    def rate(self) -> float:
        """Pages in a second, over one connection."""
        with socket.create_connection(("127.0.0.1", self._port), PATIENCE_S) as connection:
            number, started = 0, time.perf_counter()
            while (taken := time.perf_counter() - started) < ROUND_S:
                self._ask(connection)
                number += 1
        return number / taken

    def _ask(self, connection: socket.socket) -> bytes:
        connection.sendall(self._request)
        data = bytearray()
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._read(connection)
        head = bytes(data[:end]).lower()
        if not head.startswith(b"http/1.1 200"):
            raise SystemExit(head.decode())
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        while len(data) < end + 4 + length:
            data += self._read(connection)
        return bytes(data[end + 4 :])

    def _read(self, connection: socket.socket) -> bytes:
        read = connection.recv(65536)
        if not read:
            raise SystemExit("The server closed the connection.")
        return read


def waits(port: int, paths: Sequence[str], *, seconds: float, each_s: float) -> list[float]:
    """How long visitors waited who came one after another at even distances, in ms.

    A visitor's time runs from when they should have come: one who is kept waiting by the visitor
    before has waited all the same.
    """
    visitors = [Visitor(port, path) for path in paths]
    times = []
    began = time.perf_counter()
    for number in count():
        due = began + number * each_s
        if due - began >= seconds:
            return times
        time.sleep(max(0.0, due - time.perf_counter()))
        visitors[number % len(visitors)].get()
        times.append((time.perf_counter() - due) * 1000)
    raise AssertionError


def told(figures: dict[str, float], name: str, times: Sequence[float]) -> None:
    """Add the middle, the 95th, the 99th and the longest of these times to the figures."""
    figures[f"{name}_ms_p50"] = round(median(times), 2)
    figures[f"{name}_ms_p95"] = percentile(times, 95)
    figures[f"{name}_ms_p99"] = percentile(times, 99)
    figures[f"{name}_ms_worst"] = round(max(times), 1)


@contextmanager
def process(*command: str, port: int, **environment: str) -> Iterator[None]:
    """A Python process that listens on a port."""
    running = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, **environment}
    )
    deadline = time.monotonic() + OPEN_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            if running.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("The server did not start.") from None
            time.sleep(0.1)
    try:
        yield
    finally:
        running.terminate()
        running.wait()
