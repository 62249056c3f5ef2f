"""How fast the storefront is: pages, search, how it feels in a browser, and in a crowd.

Run alone: python benchmarks/storefront.py [--only PART …] [--apps N …]. The last line is one JSON
object; times in milliseconds. The parts:

- `search`: a page of results at each size, on SQLite and on PostgreSQL;
- `pages`: requests a second of visitors' pages, against the same bytes from memory;
- `browser`: first paint, answers and jumps in Chromium slowed down four times, and first bytes;
- `streams`: short pages while 600 runs stream twenty tokens a second each;
- `silent`: short pages while 1,000 clients are connected that never finish what they say.

All but `search` use a store of the largest size. 100,000 apps take some minutes to seed.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from statistics import median

from flask import Flask, Response
from sqlmodel import col, select

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.support import crowd, streaming_store, vitals  # noqa: E402  (path set above)
from benchmarks.support.pages import Visitor, percentile, process, told, waits  # noqa: E402
from marketplace.admin.seeding import catalogue, planting  # noqa: E402
from marketplace.catalog import shelves  # noqa: E402
from marketplace.catalog.models import App  # noqa: E402
from marketplace.catalog.pages import Filters  # noqa: E402
from marketplace.infra import migrations  # noqa: E402
from marketplace.infra.blobs import Blobs  # noqa: E402
from marketplace.infra.db import Database  # noqa: E402
from marketplace.web.server import Server  # noqa: E402
from marketplace.web.settings import WebSettings  # noqa: E402
from tests.e2e.store import free_port  # noqa: E402
from tools.suite import postgres  # noqa: E402

PARTS = ("search", "pages", "browser", "streams", "silent")
SIZES = (1_000, 10_000, 100_000)
TODAY = date(2026, 11, 24)
QUERIES = 400
ROUNDS = 5
STREAMS = 600
SILENT = 1000
# One web process serves about 200 streams.
WORKERS = "3"
WARM_S = 5.0
WATCH_S = 20.0
EACH_S = 1 / 40


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


def seeded(url: str, size: int, figures: dict[str, float], name: str) -> Database:
    """A store of made-up apps."""
    database = Database(url)
    migrations.upgrade(database)
    started = time.perf_counter()
    planting.plant(database, size, seed=1, today=TODAY, say=lambda _text: None)
    figures[f"seed_s_{name}_{size}"] = round(time.perf_counter() - started, 1)
    return database


def measure_search(database: Database, size: int, figures: dict[str, float], name: str) -> None:
    """Search it, with and without filters."""
    search_ms(database, Filters())
    times = search_ms(database, Filters())
    figures[f"search_ms_p50_{name}_{size}"] = round(median(times), 2)
    figures[f"search_ms_p95_{name}_{size}"] = percentile(times, 95)
    narrowed = search_ms(database, Filters(category="writing", price="free", sort="new"))
    figures[f"narrowed_search_ms_p95_{name}_{size}"] = percentile(narrowed, 95)


def serve_bytes(file: Path, port: int) -> None:
    """The measure of all: Flask under the same gunicorn, with the same bytes from memory."""
    body = file.read_bytes()
    app = Flask(__name__)

    @app.get("/")
    def page() -> Response:
        return Response(body, mimetype="text/html")

    Server(WebSettings(port=port), lambda: app).run()


class House:
    """A seeded store's data folder, and what the parts need to know of it."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self._environment = {"CARAVAN_DATA_DIR": str(folder)}
        with database.reading() as session:
            most_used = select(App).order_by(col(App.score).desc()).limit(1)
            app = session.exec(most_used).one()
            self.app, self.developer = app.ident, str(app.owner_id)
        self.streaming = streaming_store.furnish(database, Blobs(folder / "blobs"))

    def environment(self, port: int) -> dict[str, str]:
        """What a web process of this store needs."""
        return {**self._environment, "CARAVAN_WEB__PORT": str(port)}

    @property
    def short(self) -> tuple[str, ...]:
        """The pages that must stay quick."""
        return ("/", f"/apps/{self.app}", "/search?q=trip", "/categories/travel")


def ratio(name: str, path: str, port: int, folder: Path, figures: dict[str, float]) -> None:
    """A page's requests a second over those of the same bytes from memory, in turns."""
    page = Visitor(port, path)
    file = folder / f"{name}.html"
    file.write_bytes(page.get())
    bare_port = free_port()
    with process(__file__, "--serve", str(file), str(bare_port), port=bare_port):
        bare = Visitor(bare_port, "/")
        bare.get()
        turns = [(page.rate(), bare.rate()) for _ in range(ROUNDS)]
    figures[f"{name}_rps"] = round(median(ours for ours, _ in turns))
    figures[f"{name}_rps_ratio"] = round(median(ours / theirs for ours, theirs in turns), 2)
    figures[f"{name}_page_bytes"] = file.stat().st_size


def measure_pages(house: House, figures: dict[str, float]) -> None:
    """Pages against bytes."""
    port = free_port()
    with process("-m", "marketplace", "web", port=port, **house.environment(port)):
        ratio("home", "/", port, house.folder, figures)
        ratio("app", f"/apps/{house.app}", port, house.folder, figures)


def measure_browser(house: House, figures: dict[str, float]) -> None:
    """Each key page on a slow machine."""
    port = free_port()
    pages = {
        "home": "/",
        "category": "/categories/travel",
        "search": "/search?q=travel",
        "app": f"/apps/{house.app}",
        "developer": f"/developers/{house.developer}",
        "sign_in": "/accounts/sign-in",
        "my_run": f"/runs/{house.streaming.run}",
        "my_runs": "/runs",
        "my_purchases": "/purchases",
        "my_settings": "/accounts/settings",
    }
    with process("-m", "marketplace", "web", port=port, **house.environment(port)):
        url = f"http://127.0.0.1:{port}"
        vitals.feel(url, pages, house.streaming.cookie, figures, slowdown=vitals.SLOWDOWN)


def measure_streams(house: House, count: int, figures: dict[str, float]) -> None:
    """Short pages before and beside streams."""
    stage = house.streaming
    port = free_port()
    environment = {
        **house.environment(port),
        **streaming_store.ENVIRONMENT,
        "CARAVAN_WEB__WORKERS": WORKERS,
    }
    with streaming_store.opened(house.folder, port, environment):
        waits(port, house.short, seconds=WARM_S, each_s=EACH_S)
        told(figures, "quiet_page", waits(port, house.short, seconds=WATCH_S / 2, each_s=EACH_S))
        paths = crowd.started(port, stage.ident, stage.token, count)
        with crowd.streams(port, stage.cookie, paths, figures):
            times = waits(port, house.short, seconds=WATCH_S, each_s=EACH_S)
        told(figures, "streams_page", times)


def measure_silent(house: House, count: int, figures: dict[str, float]) -> None:
    """Short pages beside clients that never finish, in a store as it is shipped."""
    port = free_port()
    with process("-m", "marketplace", "web", port=port, **house.environment(port)):
        waits(port, house.short, seconds=WARM_S, each_s=EACH_S)
        with crowd.unfinished(port, count):
            times = waits(port, house.short, seconds=WATCH_S, each_s=EACH_S)
        told(figures, "silent_page", times)
    figures["silent"] = count


def main() -> None:
    """The chosen parts, all unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--apps", type=int, nargs="+", default=SIZES)
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--silent", type=int, default=SILENT)
    parser.add_argument("--serve", nargs=2, metavar=("FILE", "PORT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve_bytes(Path(arguments.serve[0]), int(arguments.serve[1]))
        return
    for models in sorted((ROOT / "marketplace").glob("*/models.py")):
        import_module(f"marketplace.{models.parent.name}.models")
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        house = furnished(Path(name), arguments.apps, arguments.only, figures)
        measures = {
            "pages": lambda: measure_pages(house, figures),
            "browser": lambda: measure_browser(house, figures),
            "streams": lambda: measure_streams(house, arguments.streams, figures),
            "silent": lambda: measure_silent(house, arguments.silent, figures),
        }
        for part, measure in measures.items():
            if part in arguments.only:
                measure()
                print(json.dumps(figures), flush=True)
    if "search" in arguments.only:
        search_postgres(arguments.apps, figures)
    print(json.dumps(figures))


def furnished(
    folder: Path, sizes: Sequence[int], parts: Sequence[str], figures: dict[str, float]
) -> House:
    """A store of the largest size; on the way, those of the other sizes are searched."""
    for size in sorted(sizes) if "search" in parts else [max(sizes)]:
        data = folder / str(size)
        database = seeded(f"sqlite:///{data / 'store.db'}", size, figures, "sqlite")
        if "search" in parts:
            measure_search(database, size, figures, "sqlite")
            print(json.dumps(figures), flush=True)
        house = House(data, database)
        database.close()
    return house


def search_postgres(sizes: Sequence[int], figures: dict[str, float]) -> None:
    """The same on PostgreSQL, where it is installed."""
    for size in sizes:
        with postgres() as url:
            if url is None:
                print("PostgreSQL is not installed, so it was not measured.")
                return
            database = seeded(url, size, figures, "postgres")
            measure_search(database, size, figures, "postgres")
            database.close()
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
