"""Answers what a running app asks of the store, within its grant and its budget."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import structlog

from marketplace.ads import service as ads
from marketplace.ads.models import Offer
from marketplace.billing import queries as billing
from marketplace.inference.ports import (
    Embedding,
    EngineGone,
    Finished,
    Generation,
    Inference,
    Piece,
    Queued,
    ToolCall,
    Usage,
    type_answer_event,
)
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import CaravanError
from marketplace.kernel.ids import AccountId, AppId, RunId
from marketplace.runs import items, kv, prompts
from marketplace.runs.events import EventWriter
from marketplace.runs.models import NOBODY
from marketplace.sandbox import grants
from marketplace.sandbox.ports import Refused

DEFAULT_MAX_TOKENS = 256
MAX_LOG_CHARS = 2_000

log = structlog.get_logger()


@dataclass(frozen=True)
class Grant:
    """What one run may do, and for whom.

    Args:
        person: a pseudonym of the person, different in every app.
        llm_tokens: the most tokens that may be generated in the whole run.
    """

    run_id: RunId
    app_id: AppId
    ident: str
    version: str
    category: str
    age: int
    developer_id: AccountId
    person_id: AccountId
    person: str
    permissions: frozenset[str]
    ad_slots: frozenset[str]
    llm_tokens: int
    locale: str
    seed: int


@dataclass
class Tally:
    """What a run has used so far."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    queue_ms: int = 0
    prefill_ms: int = 0
    decode_ms: int = 0
    model: str | None = None
    permissions: set[str] = field(default_factory=set)

    def add(self, usage: Usage) -> None:
        """Count one generation."""
        self.prompt_tokens += usage.prompt_tokens
        self.cached_tokens += usage.cached_tokens
        self.generated_tokens += usage.generated_tokens
        self.queue_ms += usage.queue_ms
        self.prefill_ms += usage.prefill_ms
        self.decode_ms += usage.decode_ms


class Desk:
    """The host's side of one run: `sandbox` hands it every call the guest makes.

    Used by the run's own thread alone, except `cancel`.
    """

    def __init__(
        self, grant: Grant, *, database: Database, inference: Inference, events: EventWriter
    ) -> None:
        self._grant = grant
        self._database = database
        self._inference = inference
        self._events = events
        self._streams: dict[int, Iterator[type_answer_event]] = {}
        self._requests: set[str] = set()
        self._embeddings = 0
        self._promised: dict[int, int] = {}
        self._cancelled = threading.Event()
        self._slots: dict[str, Offer | None] = {}
        self.items: list[dict[str, Any]] = []
        self.tally = Tally()
        self.fatal: CaravanError | None = None
        self._operations: dict[str, Callable[[dict[str, Any]], Any]] = {
            "llm.open": self._open,
            "llm.next": self._next,
            "llm.complete": self._complete,
            "llm.embed": self._embed,
            "kv.get": self._kv_get,
            "kv.set": self._kv_set,
            "kv.delete": self._kv_delete,
            "kv.incr": self._kv_incr,
            "kv.keys": self._kv_keys,
            "ads.slot": self._slot,
            "billing.entitled": self._entitled,
            "settings.get": self._settings,
            "output.write": self._write,
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

    def cancel(self) -> None:
        """Stop what the model is making for this run; from any thread."""
        self._cancelled.set()
        for request_id in tuple(self._requests):
            self._inference.cancel(request_id)

    def close(self) -> None:
        """Let go of generations the app did not read to their end."""
        for number in tuple(self._streams):
            self._streams.pop(number).close()  # type: ignore[attr-defined]  # a generator

    def _allow(self, op: str, payload: dict[str, Any]) -> None:
        if op == "run.queued":
            return
        # The runner's side checks this too; what a process of its own says is not trusted.
        if refused := grants.refusal(op, payload, self._grant.permissions):
            raise Refused(*refused)
        if permission := grants.needed(op, payload):
            self.tally.permissions.add(permission)

    def _generation(self, payload: dict[str, Any], number: int) -> Generation:
        # Answers that are still being made count with all they may become.
        left = self._grant.llm_tokens - self.tally.generated_tokens - sum(self._promised.values())
        if left <= 0:
            raise Refused(
                "limit.llm_tokens",
                f"The run used up its {self._grant.llm_tokens} generated tokens.",
            )
        asked = payload.get("max_tokens", DEFAULT_MAX_TOKENS)
        if not isinstance(asked, int) or isinstance(asked, bool) or asked < 1:
            raise Refused("llm.max-tokens", "max_tokens is a whole number from 1.")
        temperature = payload.get("temperature", 0.0)
        if not isinstance(temperature, int | float):
            raise Refused("llm.temperature", "temperature is a number from 0.")
        schema = payload.get("json_schema")
        if schema is not None and not isinstance(schema, dict):
            raise Refused("llm.schema", "json_schema is a JSON Schema, an object.")
        return Generation(
            request_id=f"{self._grant.run_id}-{number}",
            app=self._grant.ident,
            person=self._grant.person,
            messages=prompts.messages(payload),
            max_tokens=min(asked, left),
            temperature=float(temperature),
            seed=self._grant.seed & 0xFFFFFFFF,
            json_schema=schema,
            tools=prompts.tools(payload),
        )

    def _open(self, payload: dict[str, Any]) -> int:
        number = len(self._requests)
        generation = self._generation(payload, number)
        self._requests.add(generation.request_id)
        self._promised[number] = generation.max_tokens
        self._streams[number] = self._inference.generate(generation)
        return number

    def _next(self, payload: dict[str, Any]) -> dict[str, Any]:
        handle = payload.get("handle")
        if not isinstance(handle, int) or handle not in self._streams:
            raise Refused("llm.handle", "There is no open answer with this handle.")
        stream = self._streams[handle]
        for event in stream:
            match event:
                case Queued(position):
                    self._events.write("queued", {"position": position})
                case Piece(text):
                    return {"text": text}
                case ToolCall():
                    return {"tool_call": prompts.tool_call(event)}
                case Finished(reason, usage, model):
                    self.tally.add(usage)
                    self.tally.model = model
                    del self._streams[handle], self._promised[handle]
                    return {"end": reason}
            if self._cancelled.is_set():
                break
        self._streams.pop(handle, None)
        return {"end": "cancelled"}

    def _complete(self, payload: dict[str, Any]) -> dict[str, Any]:
        handle = self._open(payload)
        pieces: list[str] = []
        calls: list[dict[str, Any]] = []
        while "end" not in (answer := self._next({"handle": handle})):
            if "text" in answer:
                pieces.append(answer["text"])
            else:
                calls.append(answer["tool_call"])
        whole = {"text": "".join(pieces), "reason": answer["end"]}
        return whole | ({"tool_calls": calls} if calls else {})

    def _embed(self, payload: dict[str, Any]) -> list[list[float]]:
        self._embeddings += 1
        embedded = self._inference.embed(
            Embedding(
                request_id=f"{self._grant.run_id}-embedding-{self._embeddings}",
                app=self._grant.ident,
                person=self._grant.person,
                texts=prompts.texts(payload),
            )
        )
        self.tally.add(embedded.usage)
        self.tally.model = self.tally.model or embedded.model
        return [
            [round(number, prompts.DECIMALS) for number in vector] for vector in embedded.vectors
        ]

    def _shelf(self, payload: dict[str, Any]) -> kv.Shelf:
        person = NOBODY if payload.get("scope") == "app" else self._grant.person_id
        return kv.Shelf(self._grant.app_id, person)

    def _kv_get(self, payload: dict[str, Any]) -> Any:
        with self._database.reading() as session:
            return kv.get(session, self._shelf(payload), payload.get("key"))

    def _kv_set(self, payload: dict[str, Any]) -> None:
        with self._database.writing() as session:
            kv.put(
                session,
                self._shelf(payload),
                payload.get("key"),
                payload.get("value"),
                now=utc_now(),
            )

    def _kv_delete(self, payload: dict[str, Any]) -> None:
        with self._database.writing() as session:
            kv.delete(session, self._shelf(payload), payload.get("key"))

    def _kv_incr(self, payload: dict[str, Any]) -> int:
        with self._database.writing() as session:
            return kv.increment(
                session,
                self._shelf(payload),
                payload.get("key"),
                payload.get("by", 1),
                now=utc_now(),
            )

    def _kv_keys(self, payload: dict[str, Any]) -> list[str]:
        with self._database.reading() as session:
            return kv.keys(session, self._shelf(payload), payload.get("prefix", ""))

    def _slot(self, payload: dict[str, Any]) -> None:
        name = payload.get("name")
        if not isinstance(name, str) or name not in self._grant.ad_slots:
            raise Refused("ads.slot", f"“{name}” is not an [[ad_slot]] of this app's caravan.toml.")
        if name in self._slots:
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
                ),
                now=utc_now(),
                draw=Random(f"{self._grant.seed}:{name}").random(),  # noqa: S311  (replayable)
            )

    def _entitled(self, payload: dict[str, Any]) -> bool:
        with self._database.reading() as session:
            product = str(payload.get("product"))
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

    def _write_text(self, text: str, *, is_markdown: bool) -> None:
        last = self.items[-1] if self.items else {}
        if last.get("kind") == "text" and last["is_markdown"] == is_markdown:
            last["text"] += text
        else:
            self.items.append({"kind": "text", "text": text, "is_markdown": is_markdown})
        self._events.write("text", {"text": text} | ({"markdown": True} if is_markdown else {}))

    def _add(self, event: str, item: dict[str, Any]) -> None:
        self.items.append(item)
        self._events.write(event, item)

    def _settings(self, _payload: dict[str, Any]) -> dict[str, Any]:
        # No release of this store can declare settings yet, so every app has none.
        return {}

    def _queued(self, payload: dict[str, Any]) -> None:
        self._events.write("queued", {"position": int(payload.get("position", 1))})

    def _log(self, payload: dict[str, Any]) -> None:
        log.info(
            "app.log",
            app=self._grant.ident,
            run=str(self._grant.run_id),
            level_of_app=str(payload.get("level"))[:16],
            text=str(payload.get("text", ""))[:MAX_LOG_CHARS],
        )
