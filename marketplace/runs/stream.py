"""A run's events as the browser gets them: data from the log, drawn as HTML on the way out."""

from collections.abc import Callable, Iterator
from uuid import UUID

from flask import render_template
from sqlmodel import Session

from marketplace.ads import queries as ads
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import OfferId, RunId
from marketplace.runs import budgets, queries
from marketplace.runs.events import EventLogs
from marketplace.runs.models import Run
from marketplace.runs.pages import QuestionForm
from marketplace.runs.settings import RunSettings
from marketplace.web.sse import Event


def is_over(database: Database, run_id: RunId) -> bool:
    """Whether the run has ended, by the database's word."""
    with database.reading() as session:
        run = session.get(Run, run_id)
        return run is None or run.has_ended


def drawn(
    database: Database,
    logs: EventLogs,
    run_id: RunId,
    *,
    asked: Callable[[RunId], QuestionForm | None],
    settings: RunSettings,
    after: int,
) -> Iterator[Event | None]:
    """The events of one run for its page, ending with the finished output and the receipt.

    Args:
        asked: the form a run waits for now; one that is answered is shown no more.
        settings: what an hour allows, which is told with the receipt.

    Each database session here is short and of its own: a stream may last for minutes.
    """
    last_id, ended = after, False
    for event in logs.follow(run_id, after=after, is_over=lambda: is_over(database, run_id)):
        if event is None:
            yield None
            continue
        last_id = event.id
        match event.name:
            case "item":
                html = render_template("runs/_item.html", item=event.data)
                yield Event(event.id, "item", {"html": html})
            case "slot":
                yield Event(event.id, "slot", {"html": _card(database, event.data["offer"])})
            case "asked" if (question := asked(run_id)) and question.number == event.data["number"]:
                html = render_template("runs/_question.html", question=question)
                yield Event(event.id, "question", {"number": question.number, "html": html})
            case "answered":
                yield Event(event.id, "question", {**event.data, "html": ""})
            case "asked":
                yield None
            case "done":
                ended = True
                yield from _closing(database, run_id, settings, event.id)
            case _:
                yield event
    if not ended:
        yield from _closing(database, run_id, settings, last_id + 1)


def _card(database: Database, offer: str) -> str:
    with database.reading() as session:
        card = ads.card(session, OfferId(UUID(offer)))
    return render_template("ads/_card.html", card=card) if card else ""


def _closing(
    database: Database, run_id: RunId, settings: RunSettings, number: int
) -> Iterator[Event]:
    with database.reading() as session:
        run = session.get_one(Run, run_id)
        receipt = queries.receipt(session, run)
        items = items_of(session, run)
        hour = budgets.hour(session, run.person_id, settings, now=utc_now())
    output = render_template("runs/_output.html", run=run, items=items)
    after = render_template("runs/_after.html", run=run, receipt=receipt, share=None, hour=hour)
    # The same id on each: a browser that comes back after any of them has seen the end.
    yield Event(number, "final", {"html": output, "state": run.state.value})
    yield Event(number, "receipt", {"html": after})
    yield Event(number, "done", {"state": run.state.value})


def items_of(session: Session, run: Run) -> list[dict[str, object]]:
    """A run's output with the advertisements' cards looked up."""
    drawn_items: list[dict[str, object]] = []
    for item in run.output:
        if item["kind"] == "slot":
            card = ads.card(session, OfferId(UUID(item["offer"])))
            drawn_items.append({**item, "card": card})
        else:
            drawn_items.append(item)
    return drawn_items
