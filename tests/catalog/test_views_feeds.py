"""The store for programs: what they may read, and that what they read is well formed."""

import json
import re
import xml.etree.ElementTree as ET
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from marketplace.catalog import queries_feeds, views_feeds
from marketplace.catalog.models import AppState, Rating
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, make_app, make_listed, make_product
from tests.factories.storefront import make_storefront

STORE = "https://store.example.org"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
BLOCK = re.compile(r'<script type="application/ld\+json">(.*?)</script', re.IGNORECASE | re.DOTALL)
NASTY = 'A & <b>"B"</b> \x01\u202e]]></title>'


@pytest.fixture(scope="module")
def app(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Made once: compiling its templates takes longer than the tests."""
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    return make_storefront(database, blobs, views_feeds.bp)


def test_programs_are_led_to_every_listed_app_and_kept_from_what_is_private(
    client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as session:
        for number in range(3):
            make_listed(session, ident=f"tests.app{number}")
        make_app(session, ident="tests.hidden", state=AppState.HIDDEN)
    monkeypatch.setattr(queries_feeds, "APPS_A_FILE", 2)
    robots = client.get("/robots.txt").text
    assert "Disallow: /accounts/" in robots
    [index] = re.findall(r"Sitemap: https?://[^/]+(/.*)", robots)
    found = []
    for place in ET.fromstring(client.get(index).text).iter(f"{SITEMAP}loc"):
        path = "/" + str(place.text).split("/", 3)[3]
        found += [loc.text for loc in ET.fromstring(client.get(path).text).iter(f"{SITEMAP}loc")]
    apps = [address for address in found if address and "/apps/" in address]
    assert [address.rpartition("/")[2] for address in apps] == [
        f"tests.app{number}" for number in range(3)
    ]
    assert len([address for address in found if address and "/categories/" in address]) == 8


def test_the_feed_is_xml_whatever_an_app_is_called(client: FlaskClient, database: Database) -> None:
    with database.writing() as session:
        make_listed(session, ident="tests.nasty", name=NASTY)
    answer = client.get("/feeds/new.xml")
    assert answer.mimetype == "application/rss+xml"
    [item] = ET.fromstring(answer.text).iter("item")
    assert item.findtext("title") == 'A & <b>"B"</b> ]]></title>'
    assert str(item.findtext("link")).endswith("/apps/tests.nasty")


def test_an_app_shows_itself_where_it_is_shared_and_nothing_breaks_out_of_it(
    client: FlaskClient, database: Database
) -> None:
    with database.writing() as session:
        make_listed(session, ident="tests.nasty", name='"><script>alert(1)')
    page = client.get("/apps/tests.nasty").text
    shown = dict(re.findall(r'<meta property="og:(\w+)" content="([^"]*)">', page))
    assert unescape(shown["title"]).startswith('"><script>alert(1)')
    assert shown["url"].endswith("/apps/tests.nasty")
    with client.get("/static/" + shown["image"].partition("/static/")[2]) as picture:
        assert picture.mimetype == "image/png"
    assert "<script>alert(1)" not in page


@pytest.mark.parametrize(
    "name",
    [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "]]>&lt;/script&gt;",
        "\\u003c/script>\u2028\u2029",
        '"}],"x":"</SCRIPT >',
        "\u202egnp.exe",
    ],
)
def test_an_app_tells_programs_its_facts_and_nothing_breaks_out_of_them(
    client: FlaskClient, database: Database, name: str
) -> None:
    with database.writing() as session:
        make_product(session, make_listed(session, ident="tests.nasty", name=name))
    page = client.get("/apps/tests.nasty").text
    # As a browser reads it: the block ends where the first such tag stands.
    [block] = BLOCK.findall(page)
    assert re.search(r"[<>&']", block) is None
    facts = json.loads(block)
    assert (facts["@type"], facts["name"]) == ("SoftwareApplication", name)
    assert facts["url"] == f"{STORE}/apps/tests.nasty"
    assert facts["offers"] == {
        "@type": "Offer",
        "price": "4.99",
        "priceCurrency": "USD",
        "url": f"{STORE}/apps/tests.nasty",
        "availability": "https://schema.org/InStock",
    }
    assert "<script>alert" not in page


def test_an_app_tells_its_rating_once_somebody_has_given_one(
    client: FlaskClient, database: Database
) -> None:
    def facts() -> dict[str, Any]:
        page = client.get("/apps/tests.plain").text
        [block] = BLOCK.findall(page)
        read: dict[str, Any] = json.loads(block)
        return read

    with database.writing() as session:
        app_id = make_listed(session, ident="tests.plain").id
    assert facts()["offers"]["price"] == "0"
    assert "aggregateRating" not in facts()
    with database.writing() as session:
        for stars in (4, 5):
            given = {"version": "1.0.0", "created_at": NOON, "changed_at": NOON}
            person = make_account(session).id
            session.add(Rating(app_id=app_id, person_id=person, stars=stars, **given))
    assert facts()["aggregateRating"] == {
        "@type": "AggregateRating",
        "ratingValue": 4.5,
        "ratingCount": 2,
        "bestRating": 5,
        "worstRating": 1,
    }


def test_the_store_can_be_installed_and_says_when_it_cannot_be_reached(
    client: FlaskClient,
) -> None:
    manifest = client.get("/manifest.webmanifest?lang=ar").get_json()
    assert (manifest["scope"], manifest["dir"]) == ("/", "rtl")
    for icon in manifest["icons"]:
        with client.get(icon["src"]) as picture:
            assert (picture.status_code, picture.mimetype) == (200, icon["type"])
    with client.get("/sw.js") as worker:
        assert worker.mimetype == "text/javascript"
        assert worker.cache_control.no_cache
    assert "The store cannot be reached" in client.get("/offline?lang=en").text
