"""How fast the storefront answers: pages of visitors against bytes from memory, and search.

Run alone: python benchmarks/storefront.py [--apps N …]. The last line is one JSON object; times in
milliseconds. Each size is seeded anew, so 100,000 apps take some minutes first.
"""

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from importlib import import_module
from pathlib import Path
from statistics import median, quantiles

from flask import Flask, Response
from sqlmodel import col, select

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from marketplace.admin.seeding import catalogue, planting  # noqa: E402  (the checkout is on the path)
from marketplace.catalog import shelves  # noqa: E402
from marketplace.catalog.models import App  # noqa: E402
from marketplace.catalog.pages import Filters  # noqa: E402
from marketplace.infra import migrations  # noqa: E402
from marketplace.infra.db import Database  # noqa: E402
from marketplace.web.server import Server  # noqa: E402
from marketplace.web.settings import WebSettings  # noqa: E402
from tests.e2e.store import free_port  # noqa: E402
from tools.suite import postgres  # noqa: E402

SIZES = (1_000, 10_000, 100_000)
TODAY = date(2026, 11, 24)
QUERIES = 400
ROUNDS = 5
ROUND_S = 2.0
OPEN_TIMEOUT_S = 60


def typed(draw: random.Random) -> str:
    """What somebody may have typed so far: whole names, beginnings, slips, in two languages."""
    words = catalogue.vocabulary()
    thing, brand = draw.choice(words["things"]), draw.choice(words["brands"])
    kind = draw.randrange(6)
    if kind == 0:
        return f"{brand[0]} {thing[2]}"
    if kind == 1:
        return str(thing[2])[: draw.randint(1, 8)]
    if kind == 2:
        word = str(brand[0])
        place = draw.randrange(len(word))
        return word[:place] + word[place + 1 :]
    if kind == 3:
        return str(thing[3])
    if kind == 4:
        return " ".join(str(thing[4]).split()[:3])
    return draw.choice("abcdefghiklmnoprstw")


def p95(times: Sequence[float]) -> float:
    """The time that nineteen of twenty keep."""
    return round(quantiles(times, n=20)[-1], 2)


def search_ms(database: Database, filters: Filters) -> list[float]:
    """Each query's page of results, with its texts and reasons, as the view asks for it."""
    draw, times = random.Random(7), []
    for number in range(QUERIES):
        query, locale = typed(draw), ("en", "ar")[number % 2]
        with database.reading() as session:
            session.connection()
            started = time.perf_counter()
            shelves.found(session, query, filters, number=1, locale=locale)
            times.append((time.perf_counter() - started) * 1000)
    return times


def measured_search(url: str, size: int, figures: dict[str, float], name: str) -> Database:
    """Seed one store and search it."""
    database = Database(url)
    migrations.upgrade(database)
    started = time.perf_counter()
    planting.plant(database, size, seed=1, today=TODAY, say=lambda _text: None)
    figures[f"seed_s_{name}_{size}"] = round(time.perf_counter() - started, 1)
    search_ms(database, Filters())
    times = search_ms(database, Filters())
    figures[f"search_ms_p50_{name}_{size}"] = round(median(times), 2)
    figures[f"search_ms_p95_{name}_{size}"] = p95(times)
    narrowed = search_ms(database, Filters(category="writing", price="free", sort="new"))
    figures[f"narrowed_search_ms_p95_{name}_{size}"] = p95(narrowed)
    return database


class Visitor:
    """One browser that does little, so that the server is what is measured."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        cookie = "Cookie: caravan_visitor=a-visitor\r\n"
        self._request = f"GET {path} HTTP/1.1\r\nHost: store\r\n{cookie}\r\n".encode()

    def get(self) -> bytes:
        """One page's body, over a connection of its own."""
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            return self._ask(connection)

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

    def rate(self) -> float:
        """Pages in a second, over one connection."""
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            count, started = 0, time.perf_counter()
            while (taken := time.perf_counter() - started) < ROUND_S:
                self._ask(connection)
                count += 1
        return count / taken


def serve_bytes(file: Path, port: int) -> None:
    """The measure of all: Flask under the same gunicorn, with the same bytes from memory."""
    body = file.read_bytes()
    app = Flask(__name__)

    @app.get("/")
    def page() -> Response:
        return Response(body, mimetype="text/html")

    Server(WebSettings(port=port), lambda: app).run()


@contextmanager
def server(*command: str, port: int, **environment: str) -> Iterator[None]:
    """A process that listens on a port."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, **environment}
    )
    deadline = time.monotonic() + OPEN_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("The server did not start.") from None
            time.sleep(0.1)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def ratio(name: str, path: str, port: int, folder: Path, figures: dict[str, float]) -> None:
    """A page's requests a second over those of the same bytes from memory, in turns."""
    page = Visitor(port, path)
    file = folder / f"{name}.html"
    file.write_bytes(page.get())
    bare_port = free_port()
    with server(__file__, "--serve", str(file), str(bare_port), port=bare_port):
        bare = Visitor(bare_port, "/")
        bare.get()
        turns = [(page.rate(), bare.rate()) for _ in range(ROUNDS)]
    figures[f"{name}_rps"] = round(median(ours for ours, _ in turns))
    figures[f"{name}_rps_ratio"] = round(median(ours / theirs for ours, theirs in turns), 2)
    figures[f"{name}_page_bytes"] = file.stat().st_size


def main() -> None:
    """Every size on SQLite and, where it is installed, on PostgreSQL; pages on the largest."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--apps", type=int, nargs="+", default=SIZES)
    parser.add_argument("--serve", nargs=2, metavar=("FILE", "PORT"))
    arguments = parser.parse_args()
    if arguments.serve:
        serve_bytes(Path(arguments.serve[0]), int(arguments.serve[1]))
        return
    for models in sorted((ROOT / "marketplace").glob("*/models.py")):
        import_module(f"marketplace.{models.parent.name}.models")
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in arguments.apps:
            data = folder / str(size)
            database = measured_search(f"sqlite:///{data / 'store.db'}", size, figures, "sqlite")
            print(json.dumps(figures), flush=True)
        with database.reading() as session:
            ident = session.exec(select(App.ident).order_by(col(App.score).desc())).first()
        database.close()
        port = free_port()
        with server(
            "-m",
            "marketplace",
            "web",
            port=port,
            CARAVAN_DATA_DIR=str(data),
            CARAVAN_WEB__PORT=str(port),
        ):
            ratio("home", "/", port, folder, figures)
            ratio("app", f"/apps/{ident}", port, folder, figures)
    for size in arguments.apps:
        with postgres() as url:
            if url is None:
                print("PostgreSQL is not installed, so it was not measured.")
                break
            measured_search(url, size, figures, "postgres").close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
