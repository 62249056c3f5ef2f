"""The store's model as an app uses it: a stream, a whole answer, data, a talk, or vectors."""

import base64
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

from caravan import _host, schema
from caravan.errors import CaravanError
from caravan.files import File

Message = Mapping[str, Any]
Picture = File | bytes
Prompt = str | Sequence[Message]
Answer = TypeVar("Answer")


@dataclasses.dataclass(frozen=True)
class Token:
    """One token of an answer.

    Args:
        logprob: natural logarithm of its probability: 0 is certain, -0.69 one in two.
        likeliest: what could have stood here and how likely it was, likeliest first.
    """

    text: str
    logprob: float
    likeliest: tuple[tuple[str, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class Scored:
    """An answer, and how sure the model was of each token of it."""

    text: str
    tokens: tuple[Token, ...]


class NotJson(CaravanError):
    """The model's answer was cut off before it was the JSON that was asked for."""

    code = "llm.not-json"


class Llm:
    """The store's model. Permission: `llm.generate`, and `llm.embed` for `embed`."""

    def stream(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        json_schema: Mapping[str, Any] | None = None,
        images: Sequence[Picture] = (),
    ) -> Iterator[str]:
        """The answer in pieces, as the model makes them.

        Args:
            prompt: the person's words, or a whole conversation of {"role", "content"}.
            system: what the model should be; the same text in every run is decoded only once.
            max_tokens: the longest answer; the store has its own limit too.
            temperature: 0 for the likeliest words, about 1 for variety.
            json_schema: makes the whole answer one JSON text that fits this schema.
            images: PNG or JPEG pictures that belong to the last message; only for a model that
                sees, which the manifest asks for with `vision = true` in [model]. 8 in a
                conversation, and about 750 KiB together: a call has 1 MiB, and carries base64.
        """
        asked = _generation(
            prompt,
            system,
            images,
            max_tokens=max_tokens,
            temperature=temperature,
            json_schema=json_schema,
        )
        handle = _host.call("llm.open", asked)
        while True:
            answer = _host.call("llm.next", {"handle": handle})
            if "end" in answer:
                return
            yield answer["text"]

    def complete(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        json_schema: Mapping[str, Any] | None = None,
        images: Sequence[Picture] = (),
    ) -> str:
        """The whole answer at once, for an app that works on it; the arguments are `stream`'s."""
        asked = _generation(
            prompt,
            system,
            images,
            max_tokens=max_tokens,
            temperature=temperature,
            json_schema=json_schema,
        )
        text: str = _host.call("llm.complete", asked)["text"]
        return text

    def scored(self, prompt: Prompt, *, logprobs: int = 0, **options: Any) -> Scored:
        """The whole answer with how sure the model was, for an app that must know.

        Args:
            logprobs: how many of the likeliest tokens are told at each place, 20 at most.
            options: as for `complete`.
        """
        system, images = options.pop("system", None), options.pop("images", ())
        asked = _generation(prompt, system, images, logprobs=logprobs, **options)
        answer = _host.call("llm.complete", asked)
        tokens = (
            Token(each["token"], each["logprob"], tuple(map(tuple, each["likeliest"])))
            for each in answer.get("logprobs", ())
        )
        return Scored(answer["text"], tuple(tokens))

    def forward(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        images: Sequence[Picture] = (),
    ) -> str:
        """Let the store write the answer to the person as it comes; returns it when it is whole.

        The quickest way to show an answer as it is: the app is not asked for every piece.
        """
        asked = _generation(prompt, system, images, max_tokens=max_tokens, temperature=temperature)
        text: str = _host.call("llm.forward", asked)["text"]
        return text

    @overload
    def json(self, prompt: Prompt, answer: type[Answer], **options: Any) -> Answer: ...
    @overload
    def json(self, prompt: Prompt, answer: Mapping[str, Any], **options: Any) -> Any: ...
    def json(self, prompt: Prompt, answer: Any, **options: Any) -> Any:
        """An answer as data.

        Args:
            answer: a dataclass, an object of which is returned; or a JSON Schema.
            options: `system`, `max_tokens` and `temperature`, as for `complete`.
        Raises: NotJson, where `max_tokens` ended before the answer did.
        """
        is_class = dataclasses.is_dataclass(answer)
        wanted = schema.parameter("answer", answer).schema if is_class else answer
        text = self.complete(prompt, json_schema=_bare(wanted), **options)
        try:
            found = json.loads(text)
        except ValueError:
            raise NotJson(
                "The model's answer was cut off before it was whole. Give more max_tokens."
            ) from None
        return schema.argument(found, answer) if is_class else found

    def chat(self, messages: Sequence[Message] = (), *, system: str | None = None) -> "Chat":
        """A conversation that goes on from `messages`, such as those kept with `ctx.kv`."""
        return Chat(self, messages, system)

    def embed(self, texts: str | Sequence[str]) -> list[list[float]]:
        """One vector for each text; near meanings give near vectors."""
        asked = [texts] if isinstance(texts, str) else list(texts)
        vectors: list[list[float]] = _host.call("llm.embed", {"texts": asked})
        return vectors


class Chat:
    """A conversation; `messages` is all that was said, without the system text."""

    def __init__(self, llm: Llm, messages: Sequence[Message], system: str | None) -> None:
        self._llm = llm
        self._system = system
        self.messages: list[dict[str, Any]] = [dict(message) for message in messages]

    def say(self, text: str, **options: Any) -> Iterator[str]:
        """The model's reply in pieces; it is part of `messages` once it is whole.

        Args:
            options: `max_tokens` and `temperature`, as for `Llm.stream`.
        """
        self.messages.append({"role": "user", "content": text})
        reply = ""
        for piece in self._llm.stream(self.messages, system=self._system, **options):
            reply += piece
            yield piece
        self.messages.append({"role": "assistant", "content": reply})


def _generation(
    prompt: Prompt, system: str | None, images: Sequence[Picture], **options: Any
) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    if isinstance(prompt, str):
        messages.append({"role": "user", "content": prompt})
    else:
        messages.extend(dict(message) for message in prompt)
    if images:
        messages[-1]["images"] = [base64.b64encode(_bytes(image)).decode() for image in images]
    return {"messages": messages, **{k: v for k, v in options.items() if v is not None}}


def _bytes(image: Picture) -> bytes:
    return image.read() if isinstance(image, File) else image


def _bare(wanted: Any) -> Any:
    """The schema without what only a form needs."""
    match wanted:
        case dict():
            return {key: _bare(each) for key, each in wanted.items() if key != "x-ui"}
        case list():
            return [_bare(each) for each in wanted]
    return wanted
