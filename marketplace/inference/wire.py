"""What the frames between the engine process and its clients mean, both ways."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, fields
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marketplace.inference.ports import (
    BadGeneration,
    Device,
    Embedded,
    Embedding,
    EngineStatus,
    Finished,
    Generation,
    Message,
    ModelUnavailable,
    Piece,
    Queued,
    QueueFull,
    Scored,
    ServedModel,
    Tool,
    ToolCall,
    Usage,
    Wants,
)
from marketplace.kernel.errors import CaravanError, Invalid, Limited

LONGEST_TEXT = 2_000_000  # characters of one message; the context ends long before
MOST_TEXTS = 128  # of one embedding
MOST_LOGPROBS = 20  # the OpenAI dialect has the same bound
LARGEST_IMAGE_BYTES = 4 * 1024 * 1024
MOST_IMAGES = 8  # of one request
VECTOR = "f"  # single precision, in this machine's own order: both ends are on it

type_event = Queued | Piece | Scored | ToolCall | Finished | Embedded | CaravanError
ShortText = Annotated[str, Field(min_length=1, max_length=200)]
Image = Annotated[bytes, Field(min_length=1, max_length=LARGEST_IMAGE_BYTES)]
FunctionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Frame = TypeVar("Frame", bound=BaseModel)


class ToolFrame(BaseModel):
    """A function the model may ask for, as it is sent."""

    model_config = ConfigDict(strict=True, extra="forbid")
    name: FunctionName
    description: str = Field(max_length=4000)
    parameters: dict[str, Any]


class ToolCallFrame(BaseModel):
    """A function the model asked for, as it is sent."""

    model_config = ConfigDict(strict=True, extra="forbid")
    id: str = Field(max_length=200)
    name: FunctionName
    arguments: str = Field(max_length=LONGEST_TEXT)


class MessageFrame(BaseModel):
    """One turn as it is sent."""

    model_config = ConfigDict(strict=True, extra="forbid")
    role: Literal["system", "user", "assistant", "tool"]
    content: str = Field(max_length=LONGEST_TEXT)
    images: list[Image] = Field(max_length=MOST_IMAGES)
    tool_calls: list[ToolCallFrame] = Field(max_length=64)
    tool_call_id: Annotated[str, Field(max_length=200)] | None

    def message(self) -> Message:
        """The turn it stands for."""
        calls = tuple(ToolCall(call.id, call.name, call.arguments) for call in self.tool_calls)
        return Message(self.role, self.content, tuple(self.images), calls, self.tool_call_id)


class EmbeddingFrame(BaseModel):
    """An embedding as it is sent, with the bounds every engine keeps."""

    model_config = ConfigDict(strict=True, extra="forbid")
    request_id: ShortText
    app: ShortText
    person: Annotated[str, Field(max_length=200)]
    texts: list[Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]] = Field(
        min_length=1, max_length=MOST_TEXTS
    )


class WantsFrame(BaseModel):
    """What the model must be able to do, as it is sent."""

    model_config = ConfigDict(strict=True, extra="forbid")
    context: int = Field(ge=0, le=10_000_000)
    vision: bool
    small: bool


class GenerationFrame(BaseModel):
    """A generation as it is sent, with the bounds every engine keeps."""

    model_config = ConfigDict(strict=True, extra="forbid")
    request_id: ShortText
    app: ShortText
    person: Annotated[str, Field(max_length=200)]
    messages: list[MessageFrame] = Field(min_length=1, max_length=1000)
    max_tokens: int = Field(ge=1, le=1_000_000)
    temperature: float = Field(ge=0, le=5, allow_inf_nan=False)
    top_k: int = Field(ge=1, le=1000)
    top_p: float = Field(gt=0, le=1)
    seed: int = Field(ge=0, lt=2**63)
    stop: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(max_length=16)
    json_schema: dict[str, Any] | None
    grammar: Annotated[str, Field(max_length=65_536)] | None
    tools: list[ToolFrame] = Field(max_length=64)
    adapter: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    release: Annotated[str, Field(max_length=200)]
    weight: float = Field(ge=0.01, le=100, allow_inf_nan=False)
    wants: WantsFrame
    model: Annotated[str, Field(max_length=200)]
    logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] | None
    tool_choice: FunctionName

    def generation(self) -> Generation:
        """The generation it stands for."""
        return Generation(
            request_id=self.request_id,
            app=self.app,
            person=self.person,
            messages=tuple(turn.message() for turn in self.messages),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            seed=self.seed,
            stop=tuple(self.stop),
            json_schema=self.json_schema,
            grammar=self.grammar,
            tools=tuple(Tool(tool.name, tool.description, tool.parameters) for tool in self.tools),
            adapter=self.adapter,
            release=self.release,
            weight=self.weight,
            wants=Wants(self.wants.context, self.wants.vision, self.wants.small),
            model=self.model,
            logprobs=self.logprobs,
            tool_choice=self.tool_choice,
        )


def from_generation(generation: Generation) -> dict[str, Any]:
    """A generation as plain lists and maps."""
    frame = {name.name: getattr(generation, name.name) for name in fields(generation)}
    schema = generation.json_schema
    return {
        **frame,
        "messages": [_from_message(message) for message in generation.messages],
        "temperature": float(generation.temperature),
        "wants": asdict(generation.wants),
        "top_p": float(generation.top_p),
        "weight": float(generation.weight),
        "stop": list(generation.stop),
        "json_schema": None if schema is None else dict(schema),
        "tools": [
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
            }
            for tool in generation.tools
        ],
    }


def from_embedding(embedding: Embedding) -> dict[str, Any]:
    """An embedding as plain lists and maps."""
    frame = {name.name: getattr(embedding, name.name) for name in fields(embedding)}
    return {**frame, "texts": list(embedding.texts)}


def to_generation(frame: object) -> Generation:
    """The generation in a frame. Raises: BadGeneration naming the field that is wrong."""
    generation = _read(GenerationFrame, frame).generation()
    if generation.tools and (generation.json_schema is not None or generation.grammar is not None):
        raise BadGeneration(
            "Send tools, or a JSON schema or grammar for the answer, not both.", rule="llm.tools"
        )
    if (shown := sum(len(message.images) for message in generation.messages)) > MOST_IMAGES:
        raise BadGeneration(
            f"The conversation has {shown} pictures, and a model is shown {MOST_IMAGES} at most. "
            "Leave the older ones out.",
            rule="llm.images",
        )
    names = {tool.name for tool in generation.tools}
    if generation.tool_choice not in {"auto", *names, *(["required"] if names else [])}:
        raise BadGeneration(
            f"No tool {generation.tool_choice} is offered that could be called. Name one of the "
            "tools of this request as its tool_choice, or say auto or required.",
            rule="llm.tools",
        )
    return generation


def to_embedding(frame: object) -> Embedding:
    """The embedding in a frame. Raises: BadGeneration naming the field that is wrong."""
    read = _read(EmbeddingFrame, frame)
    return Embedding(read.request_id, read.app, read.person, tuple(read.texts))


def check(generation: Generation) -> None:
    """Hold a generation against the bounds every engine keeps. Raises: BadGeneration."""
    to_generation(from_generation(generation))


def check_embedding(embedding: Embedding) -> None:
    """Hold an embedding against the bounds every engine keeps. Raises: BadGeneration."""
    to_embedding(from_embedding(embedding))


def from_event(number: int, event: type_event) -> list[Any]:
    """One event of request `number` as a list."""
    if isinstance(event, Piece):
        return [number, "piece", event.text]
    if isinstance(event, Scored):
        return [number, "scored", event.token, event.logprob, [list(o) for o in event.likeliest]]
    if isinstance(event, Queued):
        return [number, "queued", event.position]
    if isinstance(event, Finished):
        return [number, "finished", event.reason, list(astuple(event.usage)), event.model]
    if isinstance(event, ToolCall):
        return [number, "tool", event.id, event.name, event.arguments]
    if isinstance(event, Embedded):
        vectors = [array(VECTOR, vector).tobytes() for vector in event.vectors]
        return [number, "embedded", vectors, list(astuple(event.usage)), event.model]
    return [number, "error", *_from_error(event)]


def to_event(wire: Sequence[Any]) -> tuple[int, type_event]:
    """The request's number and the event. Raises: ValueError for what is no event."""
    match wire:
        case [int(number), "piece", str(text)]:
            return number, Piece(text)
        case [int(number), "scored", str(token), float(logprob), [*likeliest]]:
            return number, Scored(token, logprob, tuple((text, p) for text, p in likeliest))
        case [int(number), "queued", int(position)]:
            return number, Queued(position)
        case [int(number), "finished", str(reason), [*usage], str(model)]:
            return number, Finished(reason, Usage(*usage), model)
        case [int(number), "tool", str(ident), str(name), str(arguments)]:
            return number, ToolCall(ident, name, arguments)
        case [int(number), "embedded", [*packed], [*usage], str(model)]:
            vectors = tuple(tuple(array(VECTOR, each)) for each in packed)
            return number, Embedded(vectors, Usage(*usage), model)
        case [int(number), "error", str(family), str(message), rule, retry_after_s]:
            return number, _to_error(family, message, rule, retry_after_s)
    raise ValueError(f"not an event: {wire!r:.100}")


def from_status(status: EngineStatus) -> dict[str, Any]:
    """A status as plain maps and lists."""
    return asdict(status)


def to_status(wire: Mapping[str, Any]) -> EngineStatus:
    """The status in a frame; what a newer engine adds is left out."""
    known = {name.name for name in fields(EngineStatus)}
    values = {key: value for key, value in wire.items() if key in known}
    devices = tuple(Device(**device) for device in values.pop("devices", ()))
    models = tuple(
        ServedModel(**{**model, "roles": tuple(model["roles"])})
        for model in values.pop("models", ())
    )
    return EngineStatus(**values, devices=devices, models=models)


def _read(kind: type[Frame], frame: object) -> Frame:
    try:
        return kind.model_validate(frame)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "request"
        raise BadGeneration(
            f"The request to the language model is wrong at `{where}`: {first['msg']}.",
            rule="llm.request",
        ) from error


def _from_message(message: Message) -> dict[str, Any]:
    return {
        "role": message.role,
        "content": message.content,
        "images": list(message.images),
        "tool_calls": [asdict(call) for call in message.tool_calls],
        "tool_call_id": message.tool_call_id,
    }


def _from_error(error: CaravanError) -> list[Any]:
    if isinstance(error, Limited):
        return ["limited", error.message, error.rule, error.retry_after_s]
    family = "invalid" if isinstance(error, Invalid) else "unavailable"
    return [family, error.message, error.rule, None]


def _to_error(family: str, message: str, rule: Any, retry_after_s: Any) -> CaravanError:
    if family == "limited":
        return QueueFull(message, retry_after_s=int(retry_after_s or 1), rule=rule)
    if family == "invalid":
        return BadGeneration(message, rule=rule)
    return ModelUnavailable(message, rule=rule)
