"""Server-sent events: one response that goes on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Response, request, stream_with_context


@dataclass(frozen=True)
class Event:
    """One event of a stream.

    Args:
        id: counted from 1; a browser that comes back names the last one it saw.
        data: JSON value.
    """

    id: int
    name: str
    data: Any


def last_event_id() -> int:
    """The id of the last event this browser has, 0 for a new reader."""
    asked = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    return int(asked) if asked.isascii() and asked.isdigit() else 0


def _wire(events: Iterator[Event | None]) -> Iterator[str]:
    for event in events:
        if event is None:
            # A comment: keeps proxies open, and finds out whether the reader is still there.
            yield ": still here\n\n"
        else:
            data = json.dumps(event.data, ensure_ascii=False, separators=(",", ":"))
            yield f"id: {event.id}\nevent: {event.name}\ndata: {data}\n\n"


def stream(events: Iterator[Event | None]) -> Response:
    """Send events as they come; None sends a heartbeat.

    The iterator runs after the request's session is closed, so it must not use `db()`; the
    request itself, and with it the language, is still at hand.
    """
    response = Response(stream_with_context(_wire(events)), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response
