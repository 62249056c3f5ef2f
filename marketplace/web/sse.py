"""Server-sent events: one response that goes on."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Response, request, stream_with_context

from marketplace.kernel.errors import Limited
from marketplace.kernel.ids import AccountId
from marketplace.web.i18n import gettext as _

RETRY_S = 5


class TooManyStreams(Limited):
    """This person follows as many streams as one person may."""


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


class Streams:
    """The streams of this process: each holds a thread, so a person has only a few at a time."""

    def __init__(self, most_per_person: int) -> None:
        self._most = most_per_person
        self._lock = threading.Lock()
        self._open: set[tuple[AccountId, object]] = set()

    def send(self, person_id: AccountId, events: Iterator[Event | None]) -> Response:
        """Send events to a person as they come; None sends a heartbeat.

        The iterator runs after the request's session is closed, so it must not use `db()`; the
        request itself, and with it the language, is still at hand.

        Raises: TooManyStreams.
        """
        texts = self._counted(person_id, _wire(events))
        # A generator that has begun comes to its `finally` whatever becomes of it: the stream
        # ends, the reader leaves, or the answer is dropped before its first byte.
        next(texts)
        response = Response(stream_with_context(texts), mimetype="text/event-stream")
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        return response

    def _counted(self, person_id: AccountId, texts: Iterator[str]) -> Iterator[str]:
        held = (person_id, object())
        with self._lock:
            if sum(holder == person_id for holder, _each in self._open.copy()) >= self._most:
                raise TooManyStreams(
                    _(
                        "You follow %(n)s streams at once, as many as one person may. Close a page "
                        "that is still running, or wait until it is done.",
                        n=self._most,
                    ),
                    retry_after_s=RETRY_S,
                    rule="streams.too-many",
                )
            self._open.add(held)
        try:
            yield ""
            yield from texts
        finally:
            # Without the lock: the collector may come here while this thread holds it.
            self._open.discard(held)
