"""What the model makes for one run: its answers, within the run's budget of tokens."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from marketplace.inference.ports import (
    Embedding,
    Finished,
    Generation,
    Inference,
    Piece,
    Queued,
    Scored,
    ToolCall,
    Usage,
    type_answer_event,
)
from marketplace.kernel.errors import CaravanError
from marketplace.runs import prompts
from marketplace.runs.events import EventWriter
from marketplace.runs.grants import Grant
from marketplace.sandbox.ports import Refused

DEFAULT_MAX_TOKENS = 256


@dataclass
class Tally:
    """What a run has used so far."""

    usage: Usage = field(default_factory=Usage)
    model: str | None = None


def broken_off(
    inference: Inference, request_id: str, stream: Iterator[type_answer_event]
) -> Finished | None:
    """How an answer ends that nobody reads on; None when its engine ended before it.

    It is awaited, for its last event alone tells what it took. The engine sends that after the
    step it is in, and its watchdog ends an engine whose step does not end.
    """
    inference.cancel(request_id)
    try:
        return next((event for event in stream if isinstance(event, Finished)), None)
    except CaravanError:
        return None  # whoever would hear the reason has gone


class Answers:
    """The generations of one run. Used by the run's own thread alone, except `cancel`.

    Args:
        write_text: adds to the run's output what is forwarded to the person as it comes.
    """

    def __init__(
        self,
        grant: Grant,
        inference: Inference,
        events: EventWriter,
        write_text: Callable[[str], None],
    ) -> None:
        self._grant = grant
        self._write_text = write_text
        self._inference = inference
        self._events = events
        self._streams: dict[int, Iterator[type_answer_event]] = {}
        self._requests: set[str] = set()
        self._begun: set[int] = set()
        self._promised: dict[int, int] = {}
        self._scores: dict[int, list[dict[str, Any]]] = {}
        self._cancelled = threading.Event()
        self._told_at = 0.0
        self.tally = Tally()
        self.operations: dict[str, Callable[[dict[str, Any]], Any]] = {
            "llm.open": self._open,
            "llm.next": self._next,
            "llm.complete": self._complete,
            "llm.forward": self._forward,
            "llm.embed": self._embed,
        }

    def cancel(self) -> None:
        """Stop what the model is making for this run; from any thread."""
        self._cancelled.set()
        for request_id in tuple(self._requests):
            self._inference.cancel(request_id)

    def close(self) -> None:
        """Break off generations the app did not read to their end, and count them."""
        for number in tuple(self._streams):
            self._break_off(number)

    def _break_off(self, number: int) -> None:
        stream = self._streams.pop(number)
        del self._promised[number]
        # What was never asked for its first event never reached the engine.
        if number in self._begun and (
            end := broken_off(self._inference, self._request_id(number), stream)
        ):
            self._count(end)

    def _count(self, end: Finished) -> None:
        self.tally.usage += end.usage
        self.tally.model = end.model or self.tally.model

    def _request_id(self, number: int) -> str:
        return f"{self._grant.run_id}-{number}"

    def _left(self) -> int:
        """How many tokens may still be generated. Raises: Refused where none."""
        # Answers that are still being made count with all they may become.
        promised = sum(self._promised.values())
        generated = self.tally.usage.generated_tokens + promised
        if generated >= self._grant.llm_tokens:
            raise Refused(
                "limit.llm_tokens",
                f"The run used up its {self._grant.llm_tokens} generated tokens.",
            )
        in_hour = self.tally.usage.charged_tokens + promised
        if in_hour >= self._grant.hour_tokens:
            raise Refused(
                "limit.llm_tokens",
                "What the language model may read and write in this hour is used up.",
            )
        return min(self._grant.llm_tokens - generated, self._grant.hour_tokens - in_hour)

    def _generation(self, payload: dict[str, Any], number: int) -> Generation:
        left = self._left()
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
            request_id=self._request_id(number),
            app=self._grant.ident,
            person=self._grant.person,
            messages=prompts.messages(payload),
            max_tokens=min(asked, left),
            temperature=float(temperature),
            seed=self._grant.seed & 0xFFFFFFFF,
            json_schema=schema,
            tools=prompts.tools(payload),
            tool_choice=prompts.tool_choice(payload),
            release=f"{self._grant.ident}@{self._grant.version}",
            adapter=self._grant.adapter,
            wants=self._grant.wants,
            weight=self._grant.share,
            logprobs=prompts.logprobs(payload),
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
        try:
            return self._next_of(handle, self._streams[handle])
        except CaravanError:
            # What was refused makes nothing, so it holds nothing of the run's tokens.
            del self._streams[handle], self._promised[handle]
            raise

    def _next_of(self, handle: int, stream: Iterator[type_answer_event]) -> dict[str, Any]:
        if handle in self._begun:
            self._gather()
        if self._cancelled.is_set():
            self._break_off(handle)
            return {"end": "cancelled"}
        self._begun.add(handle)
        for event in stream:
            match event:
                case Queued(position):
                    self._events.write("queued", {"position": position})
                case Piece(text):
                    self._told_at = time.monotonic()
                    return {"text": text}
                case Scored():
                    self._scores.setdefault(handle, []).append(prompts.score(event))
                case ToolCall():
                    return {"tool_call": prompts.tool_call(event)}
                case Finished(reason):
                    self._count(event)
                    del self._streams[handle], self._promised[handle]
                    scores = self._scores.pop(handle, None)
                    return {"end": reason} | ({"logprobs": scores} if scores else {})
            if self._cancelled.is_set():
                break
        self._break_off(handle)
        return {"end": "cancelled"}

    def _gather(self) -> None:
        """Let words come together where many runs are told words; a wish to stop ends it."""
        self._cancelled.wait(
            max(0.0, self._told_at + self._events.gathering_s() - time.monotonic())
        )

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
        scores = {"logprobs": answer["logprobs"]} if "logprobs" in answer else {}
        return whole | scores | ({"tool_calls": calls} if calls else {})

    def _forward(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Answer the person directly: the guest is not crossed for each piece."""
        handle = self._open({**payload, "tools": None, "logprobs": None})
        before = self.tally.usage
        pieces: list[str] = []
        while "end" not in (answer := self._next({"handle": handle})):
            pieces.append(answer["text"])
            self._write_text(answer["text"])
        usage = {
            "prompt_tokens": self.tally.usage.prompt_tokens - before.prompt_tokens,
            "generated_tokens": self.tally.usage.generated_tokens - before.generated_tokens,
        }
        return {"text": "".join(pieces), "reason": answer["end"], "usage": usage}

    def _embed(self, payload: dict[str, Any]) -> list[list[float]]:
        self._left()
        request_id = self._request_id(len(self._requests))
        self._requests.add(request_id)
        embedded = self._inference.embed(
            Embedding(
                request_id=request_id,
                app=self._grant.ident,
                person=self._grant.person,
                texts=prompts.texts(payload),
            )
        )
        self.tally.usage += embedded.usage
        self.tally.model = self.tally.model or embedded.model
        return [
            [round(number, prompts.DECIMALS) for number in vector] for vector in embedded.vectors
        ]
