"""Event streams: what goes over the wire, and where a reader goes on."""

import json
from collections.abc import Iterator
from contextvars import copy_context
from itertools import repeat
from uuid import UUID, uuid4

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from marketplace.kernel.ids import AccountId
from marketplace.web import sse
from marketplace.web.sse import Event, Streams

LINA = AccountId(uuid4())


def test_events_are_written_one_line_each_whatever_they_hold(
    app: Flask, client: FlaskClient
) -> None:
    text = "two\nlines\r\n\nevent: fake\ndata: مرحبا"
    events = [Event(1, "text", {"text": text}), None, Event(2, "done", {})]
    app.add_url_rule("/events", "events", lambda: Streams(2).send(LINA, iter(events)))
    answer = client.get("/events")
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    first, heartbeat, last, rest = answer.text.split("\n\n")
    identity, name, data = first.split("\n")
    assert (identity, name) == ("id: 1", "event: text")
    assert json.loads(data.removeprefix("data: ")) == {"text": text}
    assert heartbeat.startswith(":")
    assert last == "id: 2\nevent: done\ndata: {}"
    assert rest == ""


@pytest.mark.parametrize(
    ("headers", "query", "last"),
    [
        ({}, "", 0),
        ({"Last-Event-ID": "7"}, "", 7),
        ({"Last-Event-ID": "7"}, "?after=3", 7),
        ({}, "?after=3", 3),
        ({"Last-Event-ID": "-1"}, "", 0),
        ({"Last-Event-ID": "\u0667"}, "", 0),
        ({}, "?after=1e9", 0),
    ],
)
def test_a_reader_says_what_it_has(
    app: Flask, headers: dict[str, str], query: str, last: int
) -> None:
    with app.test_request_context(f"/events{query}", headers=headers):
        assert sse.last_event_id() == last


def test_a_reader_that_goes_away_ends_the_source(app: Flask, client: FlaskClient) -> None:
    ended = []

    def source() -> Iterator[Event]:
        try:
            yield Event(1, "text", {})
            yield Event(2, "text", {})
        finally:
            ended.append(True)

    app.add_url_rule("/events", "events", lambda: Streams(2).send(LINA, source()))
    answer = client.get("/events", buffered=False)
    next(iter(answer.response))
    answer.close()
    assert ended == [True]


class Held:
    """A stream that is being followed, in a context of its own as in a thread of its own."""

    def __init__(self, client: FlaskClient, address: str) -> None:
        self._context = copy_context()
        self.answer: TestResponse = self._context.run(client.get, address)

    def close(self) -> None:
        """The reader goes away."""
        self._context.run(self.answer.close)


def test_a_person_follows_only_a_few_streams_at_once(app: Flask, client: FlaskClient) -> None:
    streams = Streams(2)

    def events(person: UUID) -> Response:
        return streams.send(AccountId(person), repeat(None))

    def follow(person: UUID = LINA) -> Held:
        return Held(client, f"/events/{person}")

    app.add_url_rule("/events/<uuid:person>", "events", events)
    first, second = follow(), follow()
    refused = follow().answer
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
    assert "2 streams at once" in refused.text
    other = follow(uuid4())
    assert other.answer.status_code == 200
    first.close()
    # An answer without a body is dropped before anybody reads it.
    for _ in range(3):
        assert copy_context().run(client.head, f"/events/{LINA}").status_code == 200
    third = follow()
    assert (third.answer.status_code, follow().answer.status_code) == (200, 429)
    for held in (second, other, third):
        held.close()
