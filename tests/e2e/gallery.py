"""An app with every kind of field and result, in a store of pages in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from werkzeug.serving import make_server

from marketplace.catalog import views_feeds
from marketplace.infra.db import Database
from tests.factories.run_pages import make_run_pages
from tests.factories.runs import stage
from tests.factories.serving import serving

SOURCE = '''
import base64, enum
from dataclasses import dataclass
from typing import Annotated, Literal
from caravan import App, Chart, Context, Field, Image, Json, Markdown, Secret, Table

app = App()
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR42mN4VGeHBzGMSmNBAGqYtcfy/nZjAAAAAElFTkSuQmCC"
)

class Season(enum.Enum):
    SPRING = "spring"
    SUMMER = "summer"
    AUTUMN = "autumn"
    WINTER = "winter"
    ALL = "all of the year, whatever the weather"

@dataclass
class Traveller:
    name: Annotated[str, Field(min_length=2, max_length=40)]
    age: Annotated[int, Field(ge=0, le=120)] = 30
    vegetarian: bool = False

@dataclass
class Stop:
    city: Annotated[str, Field(min_length=2)]
    nights: Annotated[int, Field(ge=1, le=30)] = 1
    stay: Literal["tent", "inn"] = "tent"
    booked: bool = False

@app.action("Plan the journey")
def plan(
    ctx: Context,
    wish: Annotated[str, Field(multiline=True, examples=("Slow mornings and old towns",))],
    leader: Traveller,
    stops: Annotated[list[Stop], Field(min_items=1, max_items=4, description="Where, how long")],
    season: Season = Season.SPRING,
    pace: Literal["slow", "steady", "quick"] = "slow",
    budget: Annotated[int, Field(ge=100, le=2000, step=50)] = 600,
    word: Annotated[Secret | None, Field(label="Pass word")] = None,
):
    """Every kind of field, and every kind of result."""
    yield Markdown(f"### For {leader.name}\\n\\n{wish}. *{season.value}*\\n\\n")
    yield Markdown("```\\nfor city in stops:\\n    go(city)\\n```\\n\\n")
    yield Table(stops, ["city", "nights", "stay", "booked"])
    nights = [stop.nights for stop in stops]
    cost = [each * 4.5 for each in nights]
    yield Chart([s.city for s in stops], {"Nights": nights, "Cost": cost}, "Nights, cost", "bar")
    high = [20 + (day * 7) % 9 for day in range(30)]
    low = [None if day == 4 else 8 + (day * 5) % 6 for day in range(30)]
    yield Chart(list(range(1, 31)), {"High": high, "Low": low}, "Temperature")
    yield Image(PNG, "A square of terracotta")
    yield Json({"budget": budget, "pace": pace})
'''

ASKING = '''
from dataclasses import dataclass
from typing import Annotated
from caravan import App, Chart, Field, File, Form

app = App()

@dataclass
class Tent:
    # A name that a form element has itself.
    action: Annotated[str, Field(min_length=2, label="Name of the tent")]

@app.action("Find a tent")
def go(notes: Annotated[File, Field(accept=(".txt",), max_bytes=2_000, label="Your notes")]):
    """Read a file, and ask once."""
    yield "Welcome. "
    yield Chart(["Monday", "Tuesday"], {"Tents": [3, 5]}, "Free tents", "bar")
    tent = yield Form(Tent, "Which tent shall it be?")
    yield f"{notes.text()}: {tent.action}"
'''

TELLING = """
import time
from typing import Annotated
from caravan import App, Field

app = App()

@app.action("Tell a story")
def tell(wish: Annotated[str, Field(multiline=True)] = "", words: int = 1):
    \"\"\"A word in each fiftieth of a second.\"\"\"
    yield f"{wish}. "
    for number in range(words):
        time.sleep(0.02)
        yield f"word {number}, "
"""


@contextmanager
def gallery(database: Database, folder: Path) -> Iterator[tuple[Flask, str]]:
    """The pages, and the address at which they are served."""
    with stage(database, folder) as here:
        here.described(SOURCE, ident="caravan.gallery", permissions=())
        here.described(ASKING, ident="caravan.camp", permissions=("files.read",))
        here.described(TELLING, ident="caravan.teller", permissions=())
        app = make_run_pages(here, views_feeds.bp)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        with serving(server):
            yield app, f"http://127.0.0.1:{server.server_port}"
