"""Every kind of input and of result, on the page, in the API and on the command line."""

import json
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
from caravan.cli import main
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import RunId
from marketplace.web.auth import TokenScope
from tests.factories.accounts import make_account, make_token
from tests.factories.run_pages import run_of, start
from tests.factories.runs import Stage
from tests.sdk.bundles import MANIFEST, write_folder

APP = """
from dataclasses import dataclass
from enum import Enum
from typing import Literal
from caravan import App, Chart, Context, File, Image, Json, Markdown, Secret, Table

app = App()

class Bed(Enum):
    TENT = "tent"
    INN = "inn"

@dataclass
class Stop:
    city: str
    nights: int = 1

@app.action("Go")
def go(ctx: Context, stops: list[Stop], notes: File, code: Secret, bed: Bed = Bed.TENT,
       pace: Literal["slow", "fast"] = "slow", far: bool = False, share: float = 0.5):
    ctx.progress(1, 2, "Half way")
    ctx.log("Noted.")
    yield "Plain, "
    yield Markdown("**bold** ")
    yield Table(stops)
    yield Chart(["May", "June"], {"Rain": [3, None]}, "Weather", "bar")
    yield Image(b"GIF8", "A tent at dusk")
    yield Json({"notes": notes.text(), "opens": code == "sesame", "locale": ctx.user.locale})
    yield {"bed": bed.value, "pace": pace, "far": far, "share": share}
    if ctx.entitled("pro"):
        ctx.meter("pages", 2)
    yield ctx.ads.slot("after-result")
"""
GRANTS = ("files.read", "user.locale", "billing.entitlement", "billing.meter", "ads.show")
TEXTS = {
    "stops.0.city": "Fes",
    "stops.0.nights": "2",
    "stops.1.city": "Salé",
    "code": "sesame",
    "bed": "inn",
    "pace": "fast",
    "far": "true",
    "share": "0.25",
}
SAID = [
    {"notes": "by the well", "opens": True, "locale": "en"},
    {"bed": "inn", "pace": "fast", "far": True, "share": 0.25},
]
STOPS = [["Fes", 2], ["Salé", 1]]


def check(items: list[dict[str, object]]) -> None:
    """The items of a run, whichever way they came."""
    kinds = [item["kind"] for item in items]
    assert "".join(str(item["text"]) for item in items if item["kind"] == "text") == (
        "Plain, **bold** "
    )
    assert [kind for kind in kinds if kind != "text"][:5] == (
        ["table", "chart", "image", "json", "json"]
    )
    by_kind = {str(item["kind"]): item for item in items}
    assert by_kind["table"]["rows"] == STOPS
    assert by_kind["chart"]["series"] == [{"name": "Rain", "values": [3, None]}]
    assert by_kind["image"]["alt"] == "A tent at dusk"
    assert [item["value"] for item in items if item["kind"] == "json"] == SAID


def test_on_the_page(here: Stage, lina: FlaskClient) -> None:
    app = here.described(APP, permissions=GRANTS)
    page = lina.get(f"/apps/{app.ident}").text
    for part in ('type="file"', 'type="password"', "data-rows", 'value="inn"', 'role="switch"'):
        assert part in page
    file = (BytesIO(b"by the well"), "notes.txt")
    run_id = run_of(here, start(lina, app, notes=file, **TEXTS, **{"-allow": ",".join(GRANTS)}))
    run = here.run(run_id)
    check(run.output)
    shown = lina.get(f"/runs/{run_id}").text
    for part in ("<strong>bold</strong>", "<th", "Salé", "data-chart=", 'alt="A tent at dusk"'):
        assert part in shown
    assert "by the well" in shown
    assert "sesame" not in shown, "a secret input is shown to nobody"
    assert ("progress", {"done": 1, "total": 2, "text": "Half way"}) in here.events(run_id)


def test_in_the_api(here: Stage, app: Flask, empty_database: Database) -> None:
    made = here.described(APP, permissions=GRANTS)
    with empty_database.writing() as session:
        person, scopes = make_account(session), (TokenScope.RUN,)
        token = make_token(session, person, now=utc_now(), scopes=scopes).secret
    headers = {"Authorization": f"Bearer {token}"}
    asked = {
        "action": "go",
        "input": {
            "stops": [{"city": "Fes", "nights": 2}, {"city": "Salé"}],
            "code": "sesame",
            "bed": "inn",
            "pace": "fast",
            "far": True,
            "share": 0.25,
        },
        "allow": GRANTS,
    }
    form = {"run": json.dumps(asked), "notes": (BytesIO(b"by the well"), "notes.txt")}
    client = app.test_client()
    told = client.post(f"/api/v1/apps/{made.ident}/runs", data=form, headers=headers).get_json()
    here.wait(RunId(UUID(told["run"])))
    shown = client.get(told["url"], headers=headers)
    assert shown.get_json()["state"] == "finished", shown.text
    check(shown.get_json()["output"])
    assert "sesame" not in shown.text


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = "".join(
        f'[[permission]]\nname = "{name}"\nreason = "Tries that it works."\n' for name in GRANTS
    )
    entry = MANIFEST.replace('entry = "app"', 'entry = "three_ways"') + asks
    folder = write_folder(
        tmp_path / "echo", {"caravan.toml": entry, "app.py": None, "three_ways.py": APP}
    )
    (tmp_path / "notes.txt").write_text("by the well")
    monkeypatch.syspath_prepend(str(folder))
    words = ["run", "go", "--path", str(folder), "--own", "pro"]
    words += [f"{name}={text}" for name, text in TEXTS.items()] + [f"notes=@{tmp_path}/notes.txt"]
    told = CliRunner().invoke(main, words)
    assert told.output == (
        "Plain, **bold** \nCity  Nights\nFes   2\nSalé  1\n\n      Rain\nMay   3\nJune  —\n\n"
        "[picture: A tent at dusk]\n"
        '{"notes": "by the well", "opens": true, "locale": "en"}\n'
        '{"bed": "inn", "pace": "fast", "far": true, "share": 0.25}\n'
        "\n[advertisement: after-result]\n\n"
    )
    found = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    check(found["items"])
    assert (found["meters"], found["log"]) == ({"pages": 2}, ["Noted."])
