"""The component's exports: describe an app, run one of its actions, make bytecode."""

# ruff: noqa: BLE001, E402  (an export never raises; the order of imports matters)

import gc
import importlib
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

from caravan_runtime import stdlib

# The order matters: the table is loaded first, so that the prelude reaches all of it, and
# nothing may be imported between the prelude and the snapshot.
stdlib.load()

import wit_world
from caravan import App, Context, _host
from caravan.errors import CaravanError, InvalidInput
from componentize_py_types import Err

from caravan_runtime import bridge, finder, prelude

prelude.install()
_host.install(bridge.call)

# A traceback longer than this helps nobody.
TRACEBACK_CHARACTERS = 8000


def load_app() -> tuple[App, dict[str, Any]]:
    """Import the app of this run, and return it with what the host says of the run."""
    about = bridge.call("invocation.info", {})
    prelude.begin(about["seed"])
    module = importlib.import_module(about["entry"])
    app = getattr(module, "app", None)
    if not isinstance(app, App):
        raise TypeError(f"The module {about['entry']!r} has no `app = App()`.")
    return app, about


def error_text(error: BaseException) -> str:
    """The error object of an export: type, message, traceback, and the rule if it has one."""
    if isinstance(error, MemoryError):
        # There may be too little memory left to walk the frames.
        return '{"type": "MemoryError", "message": "", "traceback": ""}'
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("/", "<frozen"))
    ]
    lines = traceback.format_list(frames) + traceback.format_exception_only(error)
    found: dict[str, Any] = {
        "type": type(error).__name__,
        "message": str(error)[:1000],
        "traceback": "".join(lines)[-TRACEBACK_CHARACTERS:],
    }
    if isinstance(error, CaravanError):
        found["code"] = error.code
    if isinstance(error, InvalidInput):
        found["fields"] = error.fields
    return json.dumps(found)


class WitWorld(wit_world.WitWorld):
    """The exports of the world `python`."""

    def describe(self) -> str:
        """The app's actions and the schemas of their inputs."""
        try:
            app, _ = load_app()
            return json.dumps(app.describe())
        except BaseException as error:
            raise Err(error_text(error)) from None

    def run(self, action: str, input: str) -> str:  # noqa: A002
        """Perform one action, and send each item as it comes."""
        try:
            app, about = load_app()
            context = Context(locale=about["locale"])
            for item in app.run(action, json.loads(input), context):
                bridge.call("output.write", item)
        except BaseException as error:
            raise Err(error_text(error)) from None
        finally:
            prelude.finish()
        return "{}"

    def compile(self, source: str) -> str:
        """Bytecode for modules, made where a hostile source can do no harm."""
        made: dict[str, str] = {}
        for path, text in json.loads(source)["modules"].items():
            try:
                code = compile(text, path, "exec", dont_inherit=True)
            except BaseException as error:
                line = getattr(error, "lineno", None) or 1
                message = getattr(error, "msg", None) or f"{type(error).__name__}: {error}"
                raise Err(json.dumps({"file": path, "line": line, "message": message})) from None
            made[f"{path}c"] = finder.pack(code)
        return json.dumps(made)

    def prepare(self, entry: str) -> str:
        """Import the app for a run that will come; whether that run will find no difference."""
        try:
            drawn = prelude.drawn()
            importlib.import_module(entry)
            return json.dumps(prelude.drawn() == drawn)
        except BaseException as error:
            raise Err(error_text(error)) from None

    def warm(self) -> None:
        """Run the rehearsal once more, in this instance."""
        rehearse(1, bridge.call)


REHEARSAL = """
from typing import Annotated, Literal
from caravan import App, Context, Field

app = App()

@app.action("Rehearse")
def rehearse(
    ctx: Context,
    text: Annotated[str, Field(multiline=True, max_length=80)],
    tone: Literal["brief", "friendly"] = "brief",
    count: Annotated[int, Field(ge=1, le=9)] = 3,
):
    for number in range(count):
        yield f"{tone} {text} {number}"
"""
REHEARSALS = 30
# The allocator of the guest hands out memory in steps of 16 bytes.
LARGEST_HOLE, HOLE_STEP = 2**19, 16


def rehearse(times: int, answers: Callable[[str, dict[str, Any]], Any]) -> None:
    """Run a small app, and leave no trace but what Python has learnt from it.

    Before the snapshot, its caches and its specialised bytecode make the first run of a
    fresh instance as quick as a later one.
    """
    world = WitWorld()

    def call(op: str, payload: dict[str, Any]) -> Any:
        return REHEARSED if op == "loader.find" else answers(op, payload)

    real = bridge.call
    bridge.call = call
    _host.install(call)
    for _ in range(times):
        world.describe()
        sys.modules.pop("rehearsal")
        world.run("rehearse", '{"text": "a", "count": 2}')
        sys.modules.pop("rehearsal")
    bridge.call = real
    _host.install(real)


def before_the_snapshot(op: str, payload: dict[str, Any]) -> Any:
    """What a host would answer; there is none yet."""
    about = {"entry": "rehearsal", "seed": 1, "locale": "en"}
    found = {"clock.now": 0, "invocation.info": about}.get(op)
    return json.loads(json.dumps([found, payload]))[0]


def fill_holes() -> list[bytes]:
    """Objects in the places that are free between others, from the largest to the smallest.

    They must be kept: memory is handed out there first, so a run would spread its objects over
    the whole snapshot, and every page that a run writes to is copied for it.
    """
    kept = []
    end = id(bytes(2 * LARGEST_HOLE))
    size = LARGEST_HOLE
    while size > 0:
        made = bytes(size)
        while id(made) < end:
            kept.append(made)
            made = bytes(size)
        size = size * 7 // 8 if size > 512 else size - HOLE_STEP
    return kept


REHEARSED = {
    "path": "rehearsal.py",
    "package": False,
    "bytecode": finder.pack(compile(REHEARSAL, "rehearsal.py", "exec", dont_inherit=True)),
}
rehearse(REHEARSALS, before_the_snapshot)
# The snapshot's objects live as long as the run: the collector need not look at them. It also
# empties Python's own stores of used objects, whose places lie everywhere.
gc.collect()
FILLING = fill_holes()
gc.freeze()
