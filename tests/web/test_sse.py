"""Event streams: what goes over the wire, and where a reader goes on."""

import json
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from marketplace.web import sse
from marketplace.web.sse import Event


def test_events_are_written_one_line_each_whatever_they_hold(
    app: Flask, client: FlaskClient
) -> None:
    text = "two\nlines\r\n\nevent: fake\ndata: مرحبا"
    events = [Event(1, "text", {"text": text}), None, Event(2, "done", {})]
    app.add_url_rule("/events", "events", lambda: sse.stream(iter(events)))
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

    app.add_url_rule("/events", "events", lambda: sse.stream(source()))
    answer = client.get("/events", buffered=False)
    next(iter(answer.response))
    answer.close()
    assert ended == [True]
