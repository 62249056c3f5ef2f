"""The pretended store's side of one run: it answers every host call as a store would."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from caravan import forms, schema
from caravan.errors import HostError

Model = Callable[[dict[str, Any]], Iterable[str]]
Ask = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
# A pretended vector counts words by their hash, so that texts with the same words are near.
VECTOR_SIZE = 64
PERMISSIONS = {
    "llm.embed": "llm.embed",
    "files.read": "files.read",
    "http.fetch": "net.fetch",
    "ads.slot": "ads.show",
    "billing.entitled": "billing.entitlement",
    "meter.add": "billing.meter",
}


@dataclass(frozen=True)
class HostCall:
    """One operation the app asked for."""

    op: str
    payload: dict[str, Any]


def permission_of(op: str, payload: Mapping[str, Any]) -> str | None:
    """The permission an operation needs, or None where every app may do it."""
    room = op.partition(".")[0]
    if room == "kv":
        return f"kv.{payload.get('scope')}"
    return PERMISSIONS.get(op) or ("llm.generate" if room == "llm" else None)


class Counted:
    """A model whose pieces are counted as they are made."""

    def __init__(self, model: Model) -> None:
        self.pieces = 0
        self._model = model

    def __call__(self, payload: dict[str, Any]) -> Iterator[str]:
        """The pieces of one answer."""
        for piece in self._model(payload):
            self.pieces += 1
            yield piece


@dataclass
class Desk:
    """Answers the calls of one run.

    Args:
        pieces: the model's answer to a payload, given which generation of the run it is.
        ask: puts a form to the person, an object with `title` and `schema`; None: nobody is there.
    """

    pieces: Callable[[dict[str, Any], int], Iterable[str]]
    entitlements: Collection[str]
    permissions: Collection[str] | None
    settings: Mapping[str, Any]
    ask: Ask
    web: Mapping[str, Any]
    kv: dict[tuple[str, str], Any]
    on_call: Callable[[HostCall], None] | None = None
    calls: list[HostCall] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    meters: dict[str, int] = field(default_factory=dict)
    _streams: list[Iterator[str]] = field(default_factory=list)
    _written: list[dict[str, Any]] = field(default_factory=list)
    _files: dict[str, bytes] = field(default_factory=dict)

    def call(self, op: str, payload: dict[str, Any]) -> Any:
        """Answer like the store, through JSON and back. Raises: HostError."""
        asked = json.loads(json.dumps(payload))
        self.calls.append(HostCall(op, asked))
        if self.on_call:
            self.on_call(self.calls[-1])
        self._allow(op, asked)
        answer = getattr(self, f"_{op.replace('.', '_')}", None)
        if answer is None:
            raise HostError("host.unknown-op", f"The store has no function “{op}”.")
        return json.loads(json.dumps(answer(asked)))

    def take_written(self) -> Iterator[dict[str, Any]]:
        """What the store has written to the output by itself since the last time."""
        yield from self._written
        self._written.clear()

    def keep_file(self, name: str, data: bytes, media_type: str) -> dict[str, Any]:
        """The value of a file input whose bytes are `data`."""
        ident = f"file-{len(self._files) + 1}"
        self._files[ident] = data
        return {"file": ident, "name": name, "media_type": media_type, "size_bytes": len(data)}

    def _allow(self, op: str, payload: dict[str, Any]) -> None:
        needed = permission_of(op, payload)
        if needed is None or self.permissions is None or needed in self.permissions:
            return
        raise HostError(
            f"permission.{needed}",
            f"This app has not been granted “{needed}”. Add it to caravan.toml as [[permission]].",
        )

    def _answer(self, payload: dict[str, Any]) -> Iterator[str]:
        turn = sum(call.op in {"llm.open", "llm.complete", "llm.forward"} for call in self.calls)
        return iter(self.pieces(payload, turn))

    def _llm_open(self, payload: dict[str, Any]) -> int:
        self._streams.append(self._answer(payload))
        return len(self._streams) - 1

    def _llm_next(self, payload: dict[str, Any]) -> dict[str, str]:
        piece = next(self._streams[payload["handle"]], None)
        return {"end": "stop"} if piece is None else {"text": piece}

    def _llm_complete(self, payload: dict[str, Any]) -> dict[str, Any]:
        pieces = list(self._answer(payload))
        whole = {"text": "".join(pieces), "reason": "stop"}
        if payload.get("logprobs") is None:
            return whole
        # A pretended model is certain of every piece it was told to say.
        most = payload["logprobs"]
        scores = [
            {"token": piece, "logprob": 0.0, "likeliest": [[piece, 0.0]][:most]} for piece in pieces
        ]
        return whole | {"logprobs": scores}

    def _llm_forward(self, payload: dict[str, Any]) -> dict[str, Any]:
        pieces = list(self._answer(payload))
        self._written += [{"kind": "text", "text": piece} for piece in pieces]
        usage = {"prompt_tokens": 0, "generated_tokens": len(pieces)}
        return {"text": "".join(pieces), "reason": "stop", "usage": usage}

    def _llm_embed(self, payload: dict[str, Any]) -> list[list[float]]:
        return [_vector(text) for text in payload["texts"]]

    def _kv_get(self, payload: dict[str, Any]) -> Any:
        return self.kv.get(_where(payload))

    def _kv_set(self, payload: dict[str, Any]) -> None:
        self.kv[_where(payload)] = payload["value"]

    def _kv_delete(self, payload: dict[str, Any]) -> None:
        self.kv.pop(_where(payload), None)

    def _kv_incr(self, payload: dict[str, Any]) -> int:
        total: int = self.kv.get(_where(payload), 0) + payload["by"]
        self.kv[_where(payload)] = total
        return total

    def _kv_cas(self, payload: dict[str, Any]) -> bool:
        if self.kv.get(_where(payload)) != payload["expected"]:
            return False
        self.kv[_where(payload)] = payload["value"]
        return True

    def _kv_keys(self, payload: dict[str, Any]) -> list[str]:
        scope, prefix = payload["scope"], payload["prefix"]
        return sorted(key for at, key in self.kv if at == scope and key.startswith(prefix))

    def _billing_entitled(self, payload: dict[str, Any]) -> bool:
        return payload["product"] in self.entitlements

    def _meter_add(self, payload: dict[str, Any]) -> None:
        self.meters[payload["name"]] = self.meters.get(payload["name"], 0) + payload["n"]

    def _ads_slot(self, _payload: dict[str, Any]) -> None:
        return None

    def _log_write(self, payload: dict[str, Any]) -> None:
        self.log.append(payload["text"])

    def _output_progress(self, _payload: dict[str, Any]) -> None:
        return None

    def _settings_get(self, _payload: dict[str, Any]) -> dict[str, Any]:
        return dict(self.settings)

    def _form_ask(self, payload: dict[str, Any]) -> dict[str, Any]:
        if forms.has_file(payload["schema"]):
            raise HostError("form.schema", "A form in the middle of a run takes no files.")
        answer = self.ask(payload)
        if answer is None:
            raise HostError(
                "form.no-page",
                "Nobody sees this run, so nobody can be asked. Give it what the person says: "
                "answers=[…] of a Simulator, --reply of caravan run.",
            )
        if problems := schema.check(dict(answer), payload["schema"]):
            raise HostError("form.answer", " ".join(problems.values()))
        return dict(answer)

    def _files_read(self, payload: dict[str, Any]) -> dict[str, Any]:
        data = self._files.get(payload["file"])
        if data is None:
            raise HostError("files.unknown", "This run was given no such file.")
        piece = data[payload["offset"] : payload["offset"] + payload["length"]]
        return {"base64": base64.b64encode(piece).decode(), "size_bytes": len(data)}

    def _http_fetch(self, payload: dict[str, Any]) -> dict[str, Any]:
        if payload["url"] not in self.web:
            raise HostError(
                "net.unknown",
                f"The simulator knows no answer of {payload['url']}; give it one with web={{…}}.",
            )
        found = self.web[payload["url"]]
        status, body = found if isinstance(found, tuple) else (200, found)
        raw = body.encode() if isinstance(body, str) else body
        return {"status": status, "headers": {}, "body_base64": base64.b64encode(raw).decode()}


def _where(payload: Mapping[str, Any]) -> tuple[str, str]:
    return payload["scope"], payload["key"]


def _vector(text: str) -> list[float]:
    counts = [0.0] * VECTOR_SIZE
    for word in re.findall(r"\w+", text.lower()):
        counts[hashlib.sha256(word.encode()).digest()[0] % VECTOR_SIZE] += 1
    length = sum(count * count for count in counts) ** 0.5
    return [count / length for count in counts] if length else counts
