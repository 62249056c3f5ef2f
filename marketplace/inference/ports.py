"""What the rest of the store may ask of a language model, and what comes back."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, field
from operator import add
from typing import Any, Protocol

from marketplace.kernel.errors import Invalid, Limited, Unavailable


class EngineGone(Unavailable):
    """The engine process ended while it was answering."""


class ModelUnavailable(Unavailable):
    """The engine runs, but it has no model it could answer with."""


class BadGeneration(Invalid):
    """A request the engine cannot carry out as it was asked."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may ask for; `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a function; `arguments` is the JSON text of an object."""

    id: str
    name: str
    arguments: str


class QueueFull(Limited):
    """More requests wait than the queue may hold."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is system, user, assistant or tool.

    Args:
        images: PNG or JPEG files that belong to a turn of the user; they are seen before its text.
        tool_calls: what the assistant asked for in this turn.
        tool_call_id: which call a turn of the role tool answers.
    """

    role: str
    content: str
    images: tuple[bytes, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Wants:
    """What an app needs of the model that answers it, whichever that is.

    Args:
        context: tokens of prompt and answer together.
        vision: whether it must see pictures.
        small: whether a small, quick model is enough, where there is one.
    """

    context: int = 0
    vision: bool = False
    small: bool = False


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
        logprobs: how many of the likeliest tokens are told beside each token's own log probability,
            as `Scored` events; None tells nothing and costs nothing.
        tools: functions the model may ask for; its wishes come as `ToolCall` events. Excludes
            `json_schema` and `grammar`.
        tool_choice: `auto` leaves it to the model, `required` has it call one of `tools`, and the
            name of one has it call that.
        adapter: sha256 of a LoRA adapter's file that the store has laid out for the engine.
        release: within which prompts may share what was computed, `ident@version`; empty, the
            app. People of a release share its system prompt; what a person typed stays theirs.
        weight: the app's share of a busy engine, next to others' of 1.
        wants: what the model must be able to do; the engine chooses one that can.
        model: the name of a model to use, whatever `wants` says; empty, the engine chooses.
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
    tools: tuple[Tool, ...] = ()
    adapter: str | None = None
    release: str = ""
    weight: float = 1.0
    wants: Wants = Wants()
    model: str = ""
    logprobs: int | None = None
    tool_choice: str = "auto"


@dataclass(frozen=True, slots=True)
class Embedding:
    """Texts to be turned into vectors; `app` and `person` as in `Generation`."""

    request_id: str
    app: str
    person: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """The receipt of one generation; tokens that were computed, and where the time went.

    Args:
        prompt_tokens: prompt tokens that were read, including the cached ones.
        cached_tokens: prompt tokens that were found in the prefix cache.
        generated_tokens: tokens made, without the one that marks the end.
        kv_token_ms: memory held, in tokens times milliseconds: 1,000 tokens for 2 s are 2,000,000.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    queue_ms: int = 0
    prefill_ms: int = 0
    decode_ms: int = 0
    kv_token_ms: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """The receipt of both."""
        return Usage(*map(add, astuple(self), astuple(other)))

    @property
    def charged_tokens(self) -> int:
        """What counts in an hour: tokens that were read, but not from the cache, and made."""
        return self.prompt_tokens - self.cached_tokens + self.generated_tokens


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits; `position` requests go before it."""

    position: int


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of the answer's text, never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class Scored:
    """How likely the next token was; it comes before the text it is part of.

    Args:
        logprob: natural logarithm of its probability, before temperature and grammar.
        likeliest: the likeliest tokens at this point and theirs, likeliest first.
    """

    token: str
    logprob: float
    likeliest: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete; `reason` is stop, length or cancelled."""

    reason: str
    usage: Usage
    model: str


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector of length 1 for each text, in order."""

    vectors: tuple[tuple[float, ...], ...]
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
class ServedModel:
    """One of the models an engine serves.

    Args:
        roles: what it is chosen for: default, small, embed, vision.
        context: tokens one sequence can hold.
        state: unloaded, loading, loaded or broken; `why_not` says in a sentence why broken.
        memory_bytes: weights and caches while it is loaded.
    """

    name: str
    title: str
    roles: tuple[str, ...]
    context: int
    state: str = "unloaded"
    why_not: str | None = None
    memory_bytes: int = 0
    active: int = 0
    waiting: int = 0

    @property
    def sees(self) -> bool:
        """Whether it understands pictures."""
        return "vision" in self.roles

    @property
    def answers(self) -> bool:
        """Whether it writes text; a model with the role embed alone does not."""
        return self.roles != ("embed",)


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What the engine is, what it is doing, and why it is not ready when it is not.

    Args:
        why_not: a full sentence when `ready` is false, else None.
        context: tokens one sequence can hold, prompt and answer together.
        gpu_layers: of `layers` (the blocks and the output) those that compute on GPUs.
        gpu_bytes: weights and cache there; `ram_bytes` those in main memory.
        why_device: a full sentence on which device computes, and why that one.
        warning: a full sentence on what makes it much slower than it could be, else None.
        models: all models it serves; the other fields tell of the default one.
        tokens_per_s: generated tokens a second over the last seconds.
        busy_ms_total: how long the engine had something to do.
        compute_ms_total: the part of it that llama.cpp computed; the rest is our own work.
        prompt_tokens_total: prompt tokens that were computed; `cached_tokens_total` were not.
        guessed_tokens_total: tokens guessed ahead; `right_tokens_total` of them came true.
        preempted_total: how often a request was put back for another's.
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
    layers: int | None = None
    gpu_bytes: int | None = None
    ram_bytes: int | None = None
    devices: tuple[Device, ...] = field(default=())
    why_device: str | None = None
    warning: str | None = None
    active: int = 0
    waiting: int = 0
    tokens_per_s: float = 0.0
    prompt_tokens_total: int = 0
    cached_tokens_total: int = 0
    preempted_total: int = 0
    generated_tokens_total: int = 0
    guessed_tokens_total: int = 0
    right_tokens_total: int = 0
    steps_total: int = 0
    busy_ms_total: int = 0
    compute_ms_total: int = 0
    models: tuple[ServedModel, ...] = ()
    loading: bool = False
    pid: int | None = None
    uptime_s: int = 0


type_answer_event = Queued | Piece | Scored | ToolCall | Finished


class Inference(Protocol):
    """A language model behind one door; the engine process, an upstream, or a fake."""

    def generate(self, generation: Generation) -> Iterator[type_answer_event]:
        """Stream one answer; the last event is `Finished`.

        Closing the iterator cancels the request by the engine's next step.

        Raises: Unavailable (no engine, no model), Limited (the app's queue is full), or
            Invalid (the request cannot be carried out), at the first event or later.
        """
        ...

    def embed(self, embedding: Embedding) -> Embedded:
        """Turn texts into vectors, beside the answers that are being generated.

        Raises: Unavailable (no engine, no model that can), Limited (too many wait), or Invalid
            (a text is empty or too long).
        """
        ...

    def cancel(self, request_id: str) -> None:
        """Stop a request from any thread; its iterator then ends with `cancelled`."""
        ...

    def forget(self, release: str) -> None:
        """Keep nothing computed of a release that nobody runs any more. Never raises."""
        ...

    def status(self) -> EngineStatus:
        """What the engine is and does now. Never raises; `why_not` says what is missing."""
        ...
