"""Answers what a running app asks of the store, within its grant and its budget."""

from collections.abc import Callable
from random import Random
from typing import Any

import structlog

from marketplace.ads import service as ads
from marketplace.ads.models import Offer
from marketplace.billing import queries as billing
from marketplace.inference.ports import EngineGone, Inference
from marketplace.infra.db import Database
from marketplace.infra.egress import Egress
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import CaravanError
from marketplace.runs import items
from marketplace.runs.answers import Answers
from marketplace.runs.asking import Asking
from marketplace.runs.events import EventWriter
from marketplace.runs.files import Reader
from marketplace.runs.grants import Grant
from marketplace.runs.keepable import mended
from marketplace.runs.memory import Memory
from marketplace.runs.metering import Meter
from marketplace.runs.web import Web
from marketplace.sandbox import grants
from marketplace.sandbox.ports import Refused

MAX_PROGRESS_CHARS = 200

log = structlog.get_logger()


class Desk:
    """The host's side of one run: `sandbox` hands it every call the guest makes.

    Used by the run's own thread alone, except `cancel`.
    """

    def __init__(
        self,
        grant: Grant,
        *,
        database: Database,
        inference: Inference,
        egress: Egress,
        events: EventWriter,
        files: Reader,
        asking: Asking,
    ) -> None:
        self._grant = grant
        self._database = database
        self._events = events
        self._memory = Memory(grant, database)
        self.meter = Meter()
        self._asking = asking
        self._web = Web(grant, egress)
        self._answers = Answers(grant, inference, events, self._write_text)
        self._slots: dict[str, Offer | None] = {}
        self.items: list[dict[str, Any]] = []
        self.tally = self._answers.tally
        self.permissions_used: set[str] = set()
        self.fatal: CaravanError | None = None
        self._operations: dict[str, Callable[[dict[str, Any]], Any]] = {
            **self._answers.operations,
            **self._memory.operations,
            **self._web.operations,
            **self.meter.operations,
            **files.operations,
            **asking.operations,
            "ads.slot": self._slot,
            "billing.entitled": self._entitled,
            "settings.get": self._settings,
            "output.write": self._write,
            "output.progress": self._progress,
            "log.write": self._log,
            "run.queued": self._queued,
        }

    def call(self, op: str, payload: dict[str, Any]) -> Any:
        """Answer one host call. Raises: Refused, with a sentence the developer reads."""
        self._allow(op, payload)
        try:
            return self._operations[op](payload)
        except EngineGone as error:
            self.fatal = error
            raise Refused("llm.gone", error.message) from error
        except CaravanError as error:
            raise Refused(error.rule or "host.refused", error.message) from error

    @property
    def kv_bytes(self) -> int:
        """What the run has kept."""
        return self._memory.written_bytes

    @property
    def egress_requests(self) -> int:
        """How many requests the run has sent to the web."""
        return self._web.requests

    def cancel(self) -> None:
        """Stop what the model is making, and wait for no person; from any thread."""
        self._answers.cancel()
        self._asking.cancel()

    def close(self) -> None:
        """Let go of what the app left open."""
        self._answers.close()

    def _allow(self, op: str, payload: dict[str, Any]) -> None:
        if op == "run.queued":
            return
        # The runner's side checks this too; what a process of its own says is not trusted.
        if refused := grants.refusal(op, payload, self._grant.permissions):
            raise Refused(*refused)
        if permission := grants.needed(op, payload):
            self.permissions_used.add(permission)

    def _slot(self, payload: dict[str, Any]) -> None:
        name = payload.get("name")
        if not isinstance(name, str) or name not in self._grant.ad_slots:
            raise Refused("ads.slot", f"“{name}” is not an [[ad_slot]] of this app's caravan.toml.")
        if name in self._slots or self._grant.is_scheduled:
            return
        with self._database.writing() as session:
            self._slots[name] = ads.decide(
                session,
                ads.Opportunity(
                    slot=name,
                    app_id=self._grant.app_id,
                    run_id=self._grant.run_id,
                    developer_id=self._grant.developer_id,
                    person_id=self._grant.person_id,
                    category=self._grant.category,
                    locale=self._grant.locale,
                    age=self._grant.age,
                    most_a_day=self._grant.ad_views_per_day,
                ),
                now=utc_now(),
                draw=Random(f"{self._grant.seed}:{name}").random(),  # noqa: S311  (replayable)
            )

    def _entitled(self, payload: dict[str, Any]) -> bool:
        product = mended(str(payload.get("product")))
        with self._database.reading() as session:
            return billing.entitled(session, self._grant.person_id, self._grant.app_id, product)

    def _write(self, payload: dict[str, Any]) -> None:
        item = items.checked(payload)
        match item["kind"]:
            case "text":
                self._write_text(item["text"], is_markdown=item["is_markdown"])
            case "slot":
                self._slot(item)
                if offer := self._slots.get(item["name"]):
                    self._add("slot", {**item, "offer": str(offer.id)})
            case _:
                self._add("item", item)

    def _write_text(self, text: str, *, is_markdown: bool = False) -> None:
        last = self.items[-1] if self.items else {}
        if last.get("kind") == "text" and last["is_markdown"] == is_markdown:
            last["text"] += text
        else:
            self.items.append({"kind": "text", "text": text, "is_markdown": is_markdown})
        self._events.write("text", {"text": text} | ({"markdown": True} if is_markdown else {}))

    def _progress(self, payload: dict[str, Any]) -> None:
        done, total = payload.get("done"), payload.get("total")
        if not _is_count(done) or not (total is None or (_is_count(total) and total > 0)):
            raise Refused("output.progress", "`done` and `total` are whole numbers from 0.")
        text = mended(str(payload.get("text", "")))[:MAX_PROGRESS_CHARS]
        self._events.write("progress", {"done": done, "total": total, "text": text})

    def _add(self, event: str, item: dict[str, Any]) -> None:
        self.items.append(item)
        self._events.write(event, item)

    def _settings(self, _payload: dict[str, Any]) -> dict[str, Any]:
        return dict(self._grant.settings)

    def _queued(self, payload: dict[str, Any]) -> None:
        self._events.write("queued", {"position": int(payload.get("position", 1))})

    def _log(self, payload: dict[str, Any]) -> None:
        # The text may be the person's; it stands in their audit log alone.
        size = len(str(payload.get("text", "")))
        log.info("app.log", app=self._grant.ident, run=str(self._grant.run_id), characters=size)


def _is_count(value: Any) -> bool:
    # A browser's numbers are exact up to here.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
