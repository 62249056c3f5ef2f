"""Pages that are the same for every visitor are made once, and hold each one's own secrets."""

import re
import threading
from collections.abc import Sequence
from typing import NoReturn

import pytest
from flask import Flask, flash, render_template_string
from flask.testing import FlaskClient

from marketplace.infra.db import Database
from marketplace.web import csrf
from marketplace.web.auth import session_cookie
from marketplace.web.page_cache import MOST_BYTES, Key, PageCache, kept
from tests.web.small_app import People, make_actor, make_app

PAGE = (
    "<html lang='{{ locale }}'>{{ number }}<meta content='{{ csrf_token() }}'>"
    "<script nonce='{{ csp_nonce() }}'></script>{{ get_flashed_messages()|join }}"
)


@pytest.fixture
def app(database: Database, people: People) -> Flask:
    """A page that says how often it was made."""
    store = make_app(database, people, PAGE_CACHE_S=60)
    made: list[int] = []

    @store.get("/page")
    @kept
    def page() -> str:
        made.append(1)
        return render_template_string(PAGE, number=f"made {len(made)}")

    @store.get("/gone")
    @kept
    def gone() -> tuple[str, int]:
        made.append(1)
        return f"gone {len(made)}", 404

    @store.get("/say")
    def say() -> str:
        flash("Saved.")
        return ""

    return store


def secrets(text: str) -> tuple[str, str]:
    [token], [nonce] = re.findall("content='(.+?)'", text), re.findall("nonce='(.+?)'", text)
    return token, nonce


def test_a_page_is_made_once_for_all_visitors(app: Flask) -> None:
    pages = [app.test_client().get("/page") for _ in range(3)]
    assert ["made 1" in page.text for page in pages] == [True] * 3
    assert len({secrets(page.text) for page in pages}) == 3
    for page in pages:
        token, nonce = secrets(page.text)
        assert f"'nonce-{nonce}'" in page.headers["Content-Security-Policy"]
        assert page.mimetype == "text/html"
        assert len(token) == 64


def test_the_token_in_a_kept_page_opens_the_visitors_own_forms(app: Flask) -> None:
    app.add_url_rule("/send", view_func=lambda: "taken", methods=["POST"])
    app.test_client().get("/page")
    client, stranger = app.test_client(), app.test_client()
    token, _nonce = secrets(client.get("/page").text)
    assert client.post("/send", data={csrf.FIELD: token}).text == "taken"
    stranger.get("/page")
    assert stranger.post("/send", data={csrf.FIELD: token}).status_code == 403


def test_language_theme_and_address_have_pages_of_their_own(client: FlaskClient) -> None:
    assert "made 1" in client.get("/page").text
    assert "made 2" in client.get("/page", headers={"Accept-Language": "ar"}).text
    assert "made 3" in client.get("/page?q=1").text
    client.set_cookie("theme", "dark")
    assert "made 4" in client.get("/page").text
    client.set_cookie("theme", "chequered")
    assert "made 1" in client.get("/page").text


def test_who_is_signed_in_or_has_a_message_gets_a_page_of_their_own(
    app: Flask, people: People
) -> None:
    visitor, person, told = (app.test_client() for _ in range(3))
    people.sessions["secret"] = make_actor()
    with app.test_request_context():
        person.set_cookie(session_cookie(), "secret")
    told.get("/say")
    assert "made 1" in visitor.get("/page").text
    assert "made 2" in person.get("/page").text
    assert "Saved." in told.get("/page").text
    assert "Saved." not in visitor.get("/page").text


def test_a_chosen_language_is_remembered_and_the_page_not_kept(client: FlaskClient) -> None:
    answer = client.get("/page?lang=ar")
    assert "lang='ar'" in answer.text
    assert "caravan_lang=ar" in ";".join(answer.headers.getlist("Set-Cookie"))
    assert "made 2" in client.get("/page?lang=ar").text


def test_what_is_no_plain_page_is_not_kept(client: FlaskClient) -> None:
    assert [client.get("/gone").text for _ in range(2)] == ["gone 1", "gone 2"]


def test_a_page_grows_old() -> None:
    now = [0.0]
    cache = PageCache(5, clock=lambda: now[0])
    key = ("/", "en", "")
    cache.put(key, [b"page"])
    now[0] = 5
    assert cache.get(key) == ([b"page"], False)
    now[0] = 10
    assert cache.get(key) == ([b"page"], True)
    now[0] = 10.1
    assert cache.get(key) == (None, False)


def test_an_old_page_is_shown_while_one_thread_makes_it_anew() -> None:
    now = [0.0]
    cache = PageCache(5, clock=lambda: now[0])
    key = ("/", "en", "")
    cache.put(key, [b"old"])
    asked, may_end, is_put = threading.Event(), threading.Event(), threading.Event()

    def renew() -> None:
        asked.set()
        assert may_end.wait(10)
        cache.put(key, [b"new"])
        is_put.set()

    now[0] = 6
    assert cache.get(key) == ([b"old"], True)
    cache.renew(key, renew)
    assert asked.wait(10)
    assert cache.get(key) == ([b"old"], False)
    may_end.set()
    assert is_put.wait(10)
    assert cache.get(key) == ([b"new"], False)


def test_a_page_that_could_not_be_made_anew_is_tried_again() -> None:
    now = [0.0]
    cache = PageCache(5, clock=lambda: now[0])
    key = ("/", "en", "")
    cache.put(key, [b"old"])
    now[0] = 6
    others_turn = threading.Event()

    def fail() -> NoReturn:
        raise OSError("no disk")

    assert cache.get(key) == ([b"old"], True)
    cache.renew(key, fail)
    cache.renew(("/", "ar", ""), others_turn.set)
    assert others_turn.wait(10)
    assert cache.get(key) == ([b"old"], True)


def test_a_visitor_of_an_old_page_waits_for_nobody(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, now = app.test_client(), [0.0]
    cache: PageCache = app.extensions["page_cache"]
    monkeypatch.setattr(cache, "_clock", lambda: now[0])
    renewed = threading.Event()
    put = cache.put

    def noted(key: Key, pieces: Sequence[bytes]) -> None:
        put(key, pieces)
        renewed.set()

    assert "made 1" in client.get("/page").text
    monkeypatch.setattr(cache, "put", noted)
    now[0] = 61
    first = client.get("/page").text
    assert renewed.wait(10)
    second = client.get("/page").text
    assert ("made 1" in first, "made 2" in second) == (True, True)
    assert secrets(first)[1] != secrets(second)[1]


def test_the_least_lately_used_pages_make_room() -> None:
    cache = PageCache(60, clock=lambda: 0.0)
    half = b"x" * (MOST_BYTES // 2)
    for name in ("a", "b"):
        cache.put((name, "en", ""), [half])
    assert cache.get(("a", "en", ""))[0] is not None
    cache.put(("a", "en", ""), [half])
    cache.put(("c", "en", ""), [half])
    assert [cache.get((name, "en", ""))[0] is not None for name in "abc"] == [True, False, True]
