"""Many clients at once: readers of streams in a process of their own, and those who never finish.

`python -m benchmarks.support.crowd PORT COOKIE` reads addresses of streams from its input until
an empty line, opens all of them, says "open" when each has brought its first words, and counts
until its input ends. Its last line is one JSON object.
"""

import asyncio
import json
import re
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from itertools import cycle
from typing import Any

from benchmarks.support.pages import PATIENCE_S, ROOT, percentile

# A token of `paced_engine` is the moment it was sent.
TOKEN = re.compile(rb"(\d{10}\.\d{4}) ")
OPENING_AT_ONCE = 50
# How clients begin that never finish: with nothing, in the middle of a head, of a form's body.
UNFINISHED = (
    b"",
    b"GET / HTTP/1.1\r\nHost: store\r\nUser-Age",
    b"POST /accounts/sign-in HTTP/1.1\r\nHost: store\r\nContent-Length: 500\r\n\r\nemail=a",
)
LOOK_EVERY_S = 0.2


class Reader:
    """One person's browser that follows a run."""

    def __init__(self, port: int, cookie: str, path: str) -> None:
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nHost: store\r\nCookie: caravan={cookie}\r\n\r\n"
        self.has_begun = asyncio.Event()
        self.is_over = False
        self.head = b""
        self.delays_ms: list[float] = []

    async def follow(self, doors: asyncio.Semaphore) -> None:
        """Read until the stream ends or the reader is cancelled."""
        async with doors:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(self._request.encode())
        try:
            while data := await reader.read(65536):
                now, self.head = time.time(), self.head or data
                sent = [float(moment) for moment in TOKEN.findall(data)]
                # What a stream begins with was made before it was opened.
                if self.has_begun.is_set():
                    self.delays_ms += [(now - moment) * 1000 for moment in sent]
                elif sent:
                    self.has_begun.set()
            self.is_over = True
            self.has_begun.set()
        finally:
            writer.close()


async def read_all(port: int, cookie: str, paths: Sequence[str]) -> dict[str, Any]:
    """Follow all streams until the input ends."""
    doors = asyncio.Semaphore(OPENING_AT_ONCE)
    readers = [Reader(port, cookie, path) for path in paths]
    tasks = [asyncio.create_task(reader.follow(doors)) for reader in readers]
    for reader in readers:
        await reader.has_begun.wait()
    for reader in readers:
        reader.delays_ms.clear()
    print("open", flush=True)
    began = time.monotonic()
    await asyncio.to_thread(sys.stdin.read)
    seconds = time.monotonic() - began
    delays = [delay for reader in readers for delay in reader.delays_ms]
    broken = [reader for reader in readers if reader.is_over]
    if broken:
        print("A stream ended:", broken[0].head[:300], file=sys.stderr)
    for task in tasks:
        task.cancel()
    return {
        "streams": len(readers),
        "streams_broken": len(broken),
        "streams_tokens_per_s": round(len(delays) / seconds),
        "token_delay_ms_p50": percentile(delays, 50),
        "token_delay_ms_p99": percentile(delays, 99),
    }


@contextmanager
def streams(
    port: int, cookie: str, paths: Sequence[str], figures: dict[str, float]
) -> Iterator[None]:
    """These streams are open within the block; what was read of them is in the figures after it."""
    command = [sys.executable, "-m", "benchmarks.support.crowd", str(port), cookie]
    reading = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reading.stdin is not None
    assert reading.stdout is not None
    try:
        reading.stdin.write("\n".join(paths) + "\n\n")
        reading.stdin.flush()
        if reading.stdout.readline() != "open\n":
            raise SystemExit("The readers of streams ended.")
        yield
        reading.stdin.close()
        figures |= json.loads(reading.stdout.read())
    finally:
        reading.kill()
        reading.wait()


def started(port: int, ident: str, token: str, count: int) -> list[str]:
    """Run an app so often. Returns: the addresses of the streams."""
    asked = json.dumps({"action": "go", "input": {}, "allow": ["llm.generate"]})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    paths = []
    for _ in range(count):
        connection.request("POST", f"/api/v1/apps/{ident}/runs", asked, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        if answer.status != 201:
            raise SystemExit(str(told))
        paths.append(f"/runs/{told['run']}/events")
        connection.close()  # the next one may be another web process's
    return paths


@contextmanager
def unfinished(port: int, count: int) -> Iterator[None]:
    """So many clients are connected within the block and never finish what they say.

    Whoever is shown the door comes back at once.
    """
    room, done = selectors.DefaultSelector(), threading.Event()
    beginnings = cycle(UNFINISHED)

    def knock() -> None:
        client = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        client.sendall(next(beginnings))
        room.register(client, selectors.EVENT_READ)

    def come_back() -> None:
        while not done.is_set():
            for key, _ in room.select(LOOK_EVERY_S):
                assert isinstance(key.fileobj, socket.socket)
                with suppress(OSError):
                    if key.fileobj.recv(4096):
                        continue
                room.unregister(key.fileobj)
                key.fileobj.close()
                knock()

    for _ in range(count):
        knock()
    thread = threading.Thread(target=come_back)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        for key in tuple(room.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # sockets of ours alone


if __name__ == "__main__":
    wanted = list(iter(lambda: sys.stdin.readline().strip(), ""))
    print(json.dumps(asyncio.run(read_all(int(sys.argv[1]), sys.argv[2], wanted))))
