"""The OpenAI dialect and its variants: what is sent, and what the answers mean. Pure."""

import hmac
from base64 import b64encode
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marketplace.inference.ports import (
    BadGeneration,
    Embedding,
    Generation,
    Message,
    ModelUnavailable,
)
from marketplace.inference.upstream.settings import UpstreamSettings

PNG = b"\x89PNG"
MOST_STOPS = 4  # of the dialect; further stop texts are looked for on our side alone
SEEDS = 2**31
COMPLAINT = 300  # characters of a server's own words that are passed on
MOST_NAMES = 20
CHARACTERS_PER_TOKEN = 4  # a guess, until the server has counted


class Garbled(ModelUnavailable):
    """A server answered with something that is not of the dialect."""


def chat(generation: Generation, settings: UpstreamSettings, model: str) -> dict[str, Any]:
    """The body of a chat completion. Raises: BadGeneration for what the dialect cannot say."""
    body: dict[str, Any] = {
        "model": _adapted(generation, settings) or model,
        "messages": [_turn(message) for message in generation.messages],
        "max_tokens": generation.max_tokens,
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        "seed": generation.seed % SEEDS,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if generation.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": generation.logprobs}
    if generation.stop:
        body["stop"] = list(generation.stop[:MOST_STOPS])
    if generation.json_schema is not None:
        schema = {"name": "answer", "schema": dict(generation.json_schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if generation.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in generation.tools
        ]
    if generation.tool_choice == "required":
        body["tool_choice"] = "required"
    elif generation.tool_choice != "auto":
        function = {"name": generation.tool_choice}
        body["tool_choice"] = {"type": "function", "function": function}
    return body | _own_words(generation, settings)


def embeddings(embedding: Embedding, model: str) -> dict[str, Any]:
    """The body of a request for vectors."""
    return {"model": model, "input": list(embedding.texts), "encoding_format": "float"}


def release_of(generation: Generation) -> str:
    """Within which prompts may share what was computed."""
    return generation.release or generation.app


def headers(release: str, settings: UpstreamSettings) -> dict[str, str]:
    """What goes before a request: the key, and the same affinity for all of a release's."""
    sent = {}
    if key := settings.api_key.get_secret_value():
        sent["Authorization"] = f"Bearer {key}"
    if settings.affinity_header:
        sent[settings.affinity_header] = salt(release, settings)
    return sent


def salt(release: str, settings: UpstreamSettings) -> str:
    """A name for a release that nobody can guess who does not know the key to the servers."""
    key = settings.api_key.get_secret_value().encode()
    return hmac.new(key, f"release:{release}".encode(), "sha256").hexdigest()[:32]


def _own_words(generation: Generation, settings: UpstreamSettings) -> dict[str, Any]:
    """What only this dialect understands."""
    grammar = generation.grammar
    if settings.dialect == "openai":
        if grammar is not None:
            raise BadGeneration(
                "The language model's server does not take grammars. Ask for a JSON schema, or "
                "set its dialect to llama-server or vllm.",
                rule="llm.grammar",
            )
        return {}
    own: dict[str, Any] = {"top_k": generation.top_k}
    # Both are told to count with every piece: an answer that is stopped has a receipt too.
    if settings.dialect == "llama-server":
        own |= {"cache_prompt": True, "timings_per_token": True}
        return own | ({} if grammar is None else {"grammar": grammar})
    own["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
    # Prompts share what was computed within a release alone: no app can time another's.
    own["cache_salt"] = salt(release_of(generation), settings)
    return own | ({} if grammar is None else {"structured_outputs": {"grammar": grammar}})


def _adapted(generation: Generation, settings: UpstreamSettings) -> str | None:
    if generation.adapter is None:
        return None
    name = settings.adapters.get(generation.adapter)
    if name is None:
        raise ModelUnavailable(
            "This app brings an adapter of its own, which the language model's server does not "
            "have. Its operator can offer it there and name it in the setting adapters.",
            rule="llm.adapter",
        )
    return name


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        pictures = [
            {"type": "image_url", "image_url": {"url": _data_url(image)}}
            for image in message.images
        ]
        turn["content"] = [*pictures, {"type": "text", "text": message.content}]
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _data_url(image: bytes) -> str:
    kind = "png" if image.startswith(PNG) else "jpeg"
    return f"data:image/{kind};base64,{b64encode(image).decode()}"


class Lenient(BaseModel):
    """Servers add what they like; what is read must be of its type."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Details(Lenient):
    """What of a prompt cost nothing."""

    cached_tokens: int | None = None


class Counts(Lenient):
    """Tokens, as a server has counted them."""

    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(0, ge=0)
    prompt_tokens_details: Details | None = None


class Complaint(Lenient):
    """What a server says is wrong."""

    message: str


class _Vector(Lenient):
    index: int
    embedding: list[float] = Field(min_length=1)


class Vectors(Lenient):
    """The answer to a request for vectors."""

    data: list[_Vector]
    usage: Counts = Counts()
    model: str = ""

    def in_order(self, count: int) -> tuple[tuple[float, ...], ...]:
        """The vectors of `count` texts, each scaled to length 1. Raises: Garbled."""
        found = {vector.index: vector.embedding for vector in self.data}
        if sorted(found) != list(range(count)):
            raise Garbled(f"The server made {len(found)} vectors of {count} texts.")
        return tuple(_unit(found[index]) for index in range(count))


class _Meta(Lenient):
    n_ctx: int | None = None
    n_ctx_train: int | None = None


class Listed(Lenient):
    """A model a server offers."""

    id: str
    max_model_len: int | None = None
    meta: _Meta | None = None

    @property
    def context(self) -> int | None:
        """Tokens the model holds, where the server says so."""
        meta = self.meta or _Meta()
        return self.max_model_len or meta.n_ctx or meta.n_ctx_train


class _Listing(Lenient):
    data: list[Listed] = Field(min_length=1)


class _Complained(Lenient):
    error: Complaint


def read(kind: type[BaseModel], text: str | bytes) -> Any:
    """An answer as `kind`. Raises: Garbled when it is none."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise Garbled(
            "The language model's server answered with something that cannot be understood. "
            "Check that its address ends where its OpenAI dialect begins, mostly in /v1.",
            rule="llm.upstream",
        ) from error


def offered(text: bytes, model: str) -> Listed:
    """The wanted model as a server offers it, or its first one when none is wanted.

    Raises: Garbled for no listing, ModelUnavailable when the wanted one is not in it.
    """
    listing: _Listing = read(_Listing, text)
    fitting = [each for each in listing.data if model in {"", each.id}]
    if not fitting:
        names = ", ".join(each.id for each in listing.data[:MOST_NAMES])
        raise ModelUnavailable(
            f"The language model's server does not offer {model}, but {names}. Set "
            "CARAVAN_INFERENCE__UPSTREAM__MODEL to one of them.",
            rule="llm.upstream",
        )
    return fitting[0]


def complaint(text: str) -> str:
    """A server's own words on why it refuses, or what it sent in their place."""
    for kind in (_Complained, Complaint):
        try:
            found = kind.model_validate_json(text)
        except ValidationError:
            continue
        return (found.error if isinstance(found, _Complained) else found).message
    return text.strip()


def _unit(vector: list[float]) -> tuple[float, ...]:
    length = sum(number * number for number in vector) ** 0.5
    return tuple(number / length for number in vector) if length else tuple(vector)
