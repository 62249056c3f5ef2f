"""Runs an app without a store: a pretended model, storage, person, web and advertising.

result = Simulator(app, llm=["Hel", "lo"]).run("greet", name="Amina")
assert result.text == "Hello"
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from caravan import _host
from caravan.app import App
from caravan.context import Context
from caravan.simulation import Ask, Desk, HostCall, Model, permission_of

__all__ = ["HostCall", "Model", "Result", "Simulator", "Upload", "permission_of"]

DEFAULT_ANSWER = ("This ", "is ", "a ", "pretended ", "answer.")


class Performer(Protocol):
    """An app that another machine than this interpreter performs."""

    def perform(
        self, desk: Desk, action: str, values: Mapping[str, Any], locale: str
    ) -> Iterable[dict[str, Any]]:
        """The output items of one run, whose calls the desk answers."""


Runner = Callable[[App, Desk, str, Mapping[str, Any], str], Iterable[dict[str, Any]]]


class _Elsewhere:
    """Holds what performs the runs of every simulator, if not this interpreter."""

    run: Runner | None = None


def run_elsewhere(run: Runner | None) -> None:
    """Perform every simulator's runs with `run`, as `caravan test --wasm` does."""
    _Elsewhere.run = None if run is None else staticmethod(run)


@dataclass(frozen=True)
class Upload:
    """A file the person picks: `run("read", file=Upload("notes.txt", b"…"))`."""

    name: str
    data: bytes
    media_type: str = "text/plain"


@dataclass(frozen=True)
class Result:
    """What one run gave, and what it asked of the store."""

    items: Sequence[dict[str, Any]]
    host_calls: Sequence[HostCall] = ()
    log: Sequence[str] = ()
    meters: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All the text, put together."""
        return "".join(item["text"] for item in self.items if item["kind"] == "text")

    @property
    def slots(self) -> list[str]:
        """The names of the places for advertisements, in order."""
        return [item["name"] for item in self.all("slot")]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The items of one kind in order: text, json, table, image, chart or slot."""
        return [item for item in self.items if item["kind"] == kind]


@dataclass
class Simulator:
    """A store for tests, whose storage lasts as long as the simulator.

    Args:
        app: the app under test; of one in another language a `caravan.wasm.Component`.
        llm: the pieces of the model's answer; or several answers (lists of pieces), one for each
            generation in turn, the last repeated; or a function from the asked payload
            to the pieces.
        entitlements: ids of the products the person has bought.
        permissions: what is granted; None grants everything.
        locale: the person's language.
        settings: what the person set for the app.
        answers: what the person says to each form in turn, as objects, or a function from the
            form to that; without one, a form is refused as where no page shows the run.
        web: what each address answers: a text, bytes, or (status, text or bytes).
        on_call: hears of every host call as it is made.
    """

    app: App | Performer
    llm: Sequence[str] | Sequence[Sequence[str]] | Model = DEFAULT_ANSWER
    entitlements: Collection[str] = ()
    permissions: Collection[str] | None = None
    locale: str = "en"
    settings: Mapping[str, Any] = field(default_factory=dict)
    answers: Iterable[Mapping[str, Any]] | Ask = ()
    web: Mapping[str, Any] = field(default_factory=dict)
    kv: dict[tuple[str, str], Any] = field(default_factory=dict)
    on_call: Callable[[HostCall], None] | None = None

    def run(self, action: str, /, **values: Any) -> Result:
        """Perform one action to its end. Raises what the action raises."""
        desk = self._desk()
        items = list(self._items(desk, action, values))
        return Result(items, desk.calls, desk.log, desk.meters)

    def stream(self, action: str, /, **values: Any) -> Iterator[dict[str, Any]]:
        """The output items of one action, as they are made."""
        yield from self._items(self._desk(), action, values)

    def _desk(self) -> Desk:
        return Desk(
            pieces=self._pieces,
            entitlements=self.entitlements,
            permissions=self.permissions,
            settings=self.settings,
            ask=self.answers if callable(self.answers) else _in_turn(self.answers),
            web=self.web,
            kv=self.kv,
            on_call=self.on_call,
        )

    def _items(self, desk: Desk, action: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        given = {name: _given(desk, value) for name, value in values.items()}
        if not isinstance(self.app, App):
            yield from self.app.perform(desk, action, given, self.locale)
            return
        if _Elsewhere.run is not None:
            yield from _Elsewhere.run(self.app, desk, action, given, self.locale)
            return
        before = _host.install(desk.call)
        try:
            for item in self.app.run(action, given, Context(locale=self.locale)):
                yield from desk.take_written()
                yield json.loads(json.dumps(item))
            yield from desk.take_written()
        finally:
            _host.install(before)

    def _pieces(self, payload: dict[str, Any], turn: int) -> Iterable[str]:
        model = self.llm
        if callable(model):
            return model(payload)
        if any(isinstance(answer, str) for answer in model) or not model:
            return [str(piece) for piece in model]
        return model[min(turn, len(model)) - 1]


def _in_turn(answers: Iterable[Mapping[str, Any]]) -> Ask:
    left = iter(answers)
    return lambda _form: next(left, None)


def _given(desk: Desk, value: Any) -> Any:
    """A value as the store hands it to the app; uploads become what a File is made from."""
    if isinstance(value, Upload):
        return desk.keep_file(value.name, value.data, value.media_type)
    return value
