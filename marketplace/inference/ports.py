"""What the rest of the store may ask of a language model, and what comes back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from marketplace.kernel.errors import Invalid, Unavailable


class EngineGone(Unavailable):
    """The engine process ended while it was answering."""


class ModelUnavailable(Unavailable):
    """The engine runs, but it has no model it could answer with."""


class BadGeneration(Invalid):
    """A request the engine cannot carry out as it was asked."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Generation:
    """What one call asks for.

    Args:
        app: the identity whose requests queue behind each other (`ident@version` or ident).
        person: a pseudonym of the person the app answers.
        max_tokens: the most tokens to make; fewer when the context ends before.
        temperature: 0 takes the likeliest token every time.
        stop: texts that end the answer; they are not part of it.
        json_schema: the answer is a JSON value of this schema; excludes `grammar`.
        grammar: the answer matches this GBNF grammar (its rule `root`). For grammars of our own
            alone, never an app's: a hostile one occupies the engine until its watchdog ends it.
    """

    request_id: str
    app: str
    person: str
    messages: tuple[Message, ...]
    max_tokens: int = 256
    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    seed: int = 0
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    grammar: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The receipt of one generation; tokens that were computed, and where the time went.

    Args:
        prompt_tokens: prompt tokens that were read, including the cached ones.
        cached_tokens: prompt tokens that were found in the prefix cache.
        generated_tokens: tokens made, without the one that marks the end.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    queue_ms: int = 0
    prefill_ms: int = 0
    decode_ms: int = 0


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits; `position` requests go before it."""

    position: int


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of the answer's text, never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete; `reason` is stop, length or cancelled."""

    reason: str
    usage: Usage
    model: str


@dataclass(frozen=True, slots=True)
class Device:
    """One device llama.cpp can compute on; `kind` is cpu, gpu, igpu, accel or meta."""

    name: str
    description: str
    kind: str
    memory_free_bytes: int
    memory_total_bytes: int


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What the engine is, what it is doing, and why it is not ready when it is not.

    Args:
        why_not: a full sentence when `ready` is false, else None.
        context: tokens one sequence can hold, prompt and answer together.
        why_device: a full sentence on which device computes, and why that one.
        tokens_per_s: generated tokens a second over the last seconds.
    """

    ready: bool
    why_not: str | None = None
    model: str | None = None
    model_file: str | None = None
    parameters: int | None = None
    quantisation: str | None = None
    context: int | None = None
    max_sequences: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    devices: tuple[Device, ...] = field(default=())
    why_device: str | None = None
    active: int = 0
    waiting: int = 0
    tokens_per_s: float = 0.0
    prompt_tokens_total: int = 0
    generated_tokens_total: int = 0
    loading: bool = False
    pid: int | None = None
    uptime_s: int = 0


class Inference(Protocol):
    """A language model behind one door; the engine process, an upstream, or a fake."""

    def generate(self, generation: Generation) -> Iterator[Queued | Piece | Finished]:
        """Stream one answer; the last event is `Finished`.

        Closing the iterator cancels the request by the engine's next step.

        Raises: Unavailable (no engine, no model), Limited (the app's queue is full), or
            Invalid (the request cannot be carried out), at the first event or later.
        """
        ...

    def cancel(self, request_id: str) -> None:
        """Stop a request from any thread; its iterator then ends with `cancelled`."""
        ...

    def status(self) -> EngineStatus:
        """What the engine is and does now. Never raises; `why_not` says what is missing."""
        ...
