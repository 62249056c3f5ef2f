"""Runs an app without a store: a pretended model, storage, entitlements and advertising.

result = Simulator(app, llm=["Hel", "lo"]).run("greet", name="Amina")
assert result.text == "Hello"
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from caravan import _host
from caravan.app import App
from caravan.context import Context
from caravan.errors import HostError

DEFAULT_ANSWER = ("This ", "is ", "a ", "pretended ", "answer.")


@dataclass(frozen=True)
class HostCall:
    """One operation the app asked for."""

    op: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """What one run gave, and what it asked of the store."""

    items: Sequence[dict[str, Any]]
    host_calls: Sequence[HostCall] = ()
    log: Sequence[str] = ()

    @property
    def text(self) -> str:
        """All the text, put together."""
        return "".join(item["text"] for item in self.items if item["kind"] == "text")

    @property
    def slots(self) -> list[str]:
        """The names of the places for advertisements, in order."""
        return [item["name"] for item in self.items if item["kind"] == "slot"]


Answer = Sequence[str]
Model = Callable[[dict[str, Any]], Iterable[str]]


@dataclass
class Simulator:
    """A store for tests, whose storage lasts as long as the simulator.

    Args:
        app: the app under test.
        llm: the pieces of the model's answer; or several answers (lists of pieces), one for each
            generation in turn, the last repeated; or a function from the asked payload
            to the pieces.
        entitlements: ids of the products the person has bought.
        permissions: what is granted; None grants everything.
        locale: the person's language.
        on_call: hears of every host call as it is made.
    """

    app: App
    llm: Sequence[str] | Sequence[Answer] | Model = DEFAULT_ANSWER
    entitlements: Collection[str] = ()
    permissions: Collection[str] | None = None
    locale: str = "en"
    kv: dict[tuple[str, str], Any] = field(default_factory=dict)
    on_call: Callable[[HostCall], None] | None = None

    def run(self, action: str, /, **values: Any) -> Result:
        """Perform one action to its end. Raises what the action raises."""
        desk = _Desk(self)
        items = list(self._items(desk, action, values))
        return Result(items, desk.calls, desk.log)

    def stream(self, action: str, /, **values: Any) -> Iterator[dict[str, Any]]:
        """The output items of one action, as they are made."""
        yield from self._items(_Desk(self), action, values)

    def _items(
        self, desk: "_Desk", action: str, values: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        before = _host.install(desk.call)
        try:
            yield from self.app.run(action, values, Context(locale=self.locale))
        finally:
            _host.install(before)


class _Desk:
    """The pretended store's side of one run."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._streams: list[Iterator[str]] = []
        self.calls: list[HostCall] = []
        self.log: list[str] = []

    def call(self, op: str, payload: dict[str, Any]) -> Any:
        """Answer like the store, through JSON and back."""
        asked = json.loads(json.dumps(payload))
        self.calls.append(HostCall(op, asked))
        if self._simulator.on_call:
            self._simulator.on_call(self.calls[-1])
        self._allow(op, asked)
        return json.loads(json.dumps(self._answer(op, asked)))

    def _allow(self, op: str, payload: dict[str, Any]) -> None:
        granted = self._simulator.permissions
        needed = permission_of(op, payload)
        if needed is None or granted is None or needed in granted:
            return
        raise HostError(
            f"permission.{needed}",
            f"This app has not been granted “{needed}”. Add it to caravan.toml as [[permission]].",
        )

    def _answer(self, op: str, payload: dict[str, Any]) -> Any:
        room, _, verb = op.partition(".")
        match room, verb:
            case "llm", "open":
                self._streams.append(iter(self._pieces(payload)))
                return len(self._streams) - 1
            case "llm", "next":
                piece = next(self._streams[payload["handle"]], None)
                return {"end": "stop"} if piece is None else {"text": piece}
            case "llm", "complete":
                return {"text": "".join(self._pieces(payload)), "reason": "stop"}
            case "kv", _:
                return self._kv(verb, (payload["scope"], payload.get("key", "")), payload)
            case "billing", "entitled":
                return payload["product"] in self._simulator.entitlements
            case "log", "write":
                self.log.append(payload["text"])
                return None
            case "ads", "slot":
                return None
        raise HostError("host.unknown-op", f"The store has no function “{op}”.")

    def _pieces(self, payload: dict[str, Any]) -> Iterable[str]:
        model = self._simulator.llm
        if callable(model):
            return model(payload)
        if any(isinstance(answer, str) for answer in model) or not model:
            return [str(piece) for piece in model]
        asked = sum(call.op in {"llm.open", "llm.complete"} for call in self.calls)
        return model[min(asked, len(model)) - 1]

    def _kv(self, verb: str, where: tuple[str, str], payload: dict[str, Any]) -> Any:
        kv = self._simulator.kv
        match verb:
            case "get":
                return kv.get(where)
            case "set":
                kv[where] = payload["value"]
            case "delete":
                kv.pop(where, None)
            case "incr":
                kv[where] = kv.get(where, 0) + payload["by"]
                return kv[where]
            case "keys":
                scope, prefix = payload["scope"], payload["prefix"]
                return sorted(key for at, key in kv if at == scope and key.startswith(prefix))
        return None


def permission_of(op: str, payload: dict[str, Any]) -> str | None:
    """The permission an operation needs, or None where every app may do it."""
    match op.split(".", maxsplit=1)[0]:
        case "llm":
            return "llm.generate"
        case "kv":
            return f"kv.{payload.get('scope')}"
        case "ads":
            return "ads.show"
        case "billing":
            return "billing.entitlement"
    return None
