"""Every address answers whatever it is sent: with what was asked, or with what is wrong."""

import hashlib
import hmac
import io
import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from marketplace.accounts.models import Account
from marketplace.kernel.clock import utc_now
from tests.corpus.records import Corpus
from tests.factories.accounts import make_session

pytestmark = pytest.mark.timeout(240)
SEARCHES = {
    "10,000 characters": "word " * 2000,
    "quotes and operators": '"\' OR NEAR( * ^ -" AND NOT ) {x}: | & ! <-> :* \\ %_',
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f4",
    "only diacritics": "\u064b\u064c\u0301\u0308\u0640",
    "turning text": "\u202eabc\u2069",
}
# Bytes: not all of them are Unicode.
ODD = {
    "NUL": b"a\x00b",
    "no UTF-8": b"\xff\xfe\xed\xa0\x80",
    "a huge number": b"9" * 400,
    "no number": b"-1e999",
    "an id": str(uuid4()).encode(),
    "everything": "".join(SEARCHES.values()).encode(),
}
ARGUMENT = re.compile(r"<[^>]+>")
ARGUMENTS = "q page sort category price rated lang again stars after next".split()
BODIES: dict[str, tuple[str, bytes]] = {
    "no JSON": ("application/json", b"{"),
    "a number as JSON": ("application/json", b"1"),
    "deep JSON": ("application/json", b"[" * 100_000),
    "JSON of odd types": (
        "application/json",
        json.dumps({k: [None] for k in ("action", "input", "allow", "messages")}).encode(),
    ),
    "a form without an end": ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: f"),
    "a form without a boundary": ("multipart/form-data", b"abc"),
    "no UTF-8": ("application/x-www-form-urlencoded", b"\xff=\xfe&%00=%ff&=&&=="),
    "a thousand fields": ("application/x-www-form-urlencoded", b"a=b&" * 1001),
    "nothing": ("application/octet-stream", b""),
}


class Forms(HTMLParser):
    """The fields of each form of a page, by its address."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, set[str]] = {}
        self._fields: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._fields = self.found.setdefault(str(given.get("action")), set())
        elif given.get("name") and tag in {"input", "select", "textarea", "button"}:
            self._fields.add(str(given["name"]))


@pytest.fixture(scope="module")
def forms(full: Corpus) -> dict[str, set[str]]:
    """Every form that somebody who may do everything is shown."""
    client, parser = full.store.app.test_client(), Forms()
    more = ["/portal/upload", "/admin/ads/new", f"/runs/{full.live}"]
    for path in ("/accounts/sign-in", "/accounts/sign-up"):
        parser.feed(client.get(path).text)
    client.set_cookie("caravan", full.cookie)
    for path in [*full.pages, *more]:
        parser.feed(client.get(path).text)
    return parser.found


def rules(full: Corpus, method: str) -> list[Rule]:
    return [each for each in full.store.app.url_map.iter_rules() if method in (each.methods or ())]


def address(full: Corpus, rule: Rule) -> str:
    """The rule's address in this store; what it does not have is an id that nothing has."""
    values: dict[str, Any] = {
        name: full.ids.get(name, "1" if name == "number" else str(uuid4()))
        for name in rule.arguments
    }
    if "filename" in values:
        values["filename"] = "css/base.css"
    with full.store.app.test_request_context():
        adapter = full.store.app.url_map.bind("store")
        return str(adapter.build(rule.endpoint, values, method=next(iter(rule.methods or ["GET"]))))


def somebody(full: Corpus) -> tuple[FlaskClient, str]:
    """A browser of who may do everything, and the token of its forms; a new one for each try."""
    client = full.store.app.test_client()
    with full.store.database.writing() as session:
        person = session.get_one(Account, full.person)
        secret = make_session(session, person, now=utc_now())
    client.set_cookie("caravan", secret)
    key = str(full.store.app.config["SECRET_KEY"]).encode()
    return client, hmac.new(key, b"csrf:" + secret.encode(), hashlib.sha256).hexdigest()


def wrong(answer: TestResponse, what: str) -> list[str]:
    """What is wrong with an answer: nothing but what a program's error could be."""
    if answer.is_streamed:
        answer.close()
    is_told = answer.status_code < 500 or answer.status_code == 503
    return [] if is_told else [f"{answer.status_code} {what}"]


def test_every_page_answers_odd_questions(full: Corpus) -> None:
    found = []
    client, _token = somebody(full)
    with capture_logs():
        for rule in rules(full, "GET"):
            path = address(full, rule)
            if rule.endpoint == "runs.events":
                continue  # it goes on for as long as somebody listens
            for name, value in ODD.items():
                query = "&".join(f"{each}={quote(value)}" for each in ARGUMENTS)
                found += wrong(client.get(f"{path}?{query}"), f"GET {rule.rule}: {name}")
    assert found == []


def test_every_address_answers_odd_parts_of_itself(full: Corpus) -> None:
    found = []
    client, token = somebody(full)
    with capture_logs():
        for rule in full.store.app.url_map.iter_rules():
            if not rule.arguments:
                continue
            for name, value in ODD.items():
                path = ARGUMENT.sub(quote(value, safe=""), rule.rule)
                method = "POST" if "POST" in (rule.methods or ()) else "GET"
                answer = client.open(path, method=method, data={"csrf_token": token})
                found += wrong(answer, f"{method} {rule.rule}: {name}")
    assert found == []


def test_every_form_answers_odd_values(full: Corpus, forms: dict[str, set[str]]) -> None:
    found = []
    with capture_logs():
        for rule in rules(full, "POST"):
            path = address(full, rule)
            for name, value in ODD.items():
                client, token = somebody(full)
                fields = {"csrf_token"} | forms.get(path, {"name", "words", "reason", "kind"})
                body = "&".join(
                    f"{quote(each)}={token if each == 'csrf_token' else quote(value)}"
                    for each in fields
                )
                answer = client.post(
                    path, data=body, content_type="application/x-www-form-urlencoded"
                )
                found += wrong(answer, f"POST {rule.rule}: {name}")
    assert found == []


def test_every_form_answers_what_is_no_form(full: Corpus) -> None:
    found = []
    with capture_logs():
        for rule in rules(full, "POST"):
            path = address(full, rule)
            for name, (kind, body) in BODIES.items():
                client, token = somebody(full)
                headers = {"X-CSRF-Token": token}
                answer = client.post(path, data=body, content_type=kind, headers=headers)
                found += wrong(answer, f"POST {rule.rule}: {name}")
            if not rule.rule.startswith("/api/"):
                answer = client.post(path, data={"csrf_token": "\xff"})
                assert answer.status_code == 403, rule.rule
    assert found == []


@pytest.mark.parametrize("query", SEARCHES)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_every_search_is_answered(full: Corpus, query: str, language: str) -> None:
    client = full.store.app.test_client()
    answer = client.get("/search", query_string={"q": SEARCHES[query], "lang": language})
    assert answer.status_code == 200
    assert 'id="results"' in answer.text


def test_files_where_texts_belong_are_answered(full: Corpus) -> None:
    client, token = somebody(full)
    with capture_logs():
        for path in ("/portal/upload", f"/apps/{full.ids['ident']}/runs"):
            names = ("bundle", "text", "-action")
            files = {each: (io.BytesIO(b"\x00\xff"), "../\x00.exe") for each in names}
            answer = client.post(path, data={"csrf_token": token, **files})
            assert wrong(answer, path) == []
