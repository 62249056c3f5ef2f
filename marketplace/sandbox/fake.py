"""A sandbox without walls, for tests: it runs the app in this process, one at a time.

It keeps every promise of `Sandbox` but the limits of time, computing and memory, and it
notices `stop` only at the next host call.
"""

import importlib
import importlib.util
import json
import marshal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

from caravan import App, Context, _host
from caravan.errors import CaravanError, HostError, InvalidInput

from marketplace.sandbox import grants
from marketplace.sandbox.desk import Desk, Ended, Nobody
from marketplace.sandbox.outcomes import Ending, of_limit, of_result
from marketplace.sandbox.ports import (
    AppRefused,
    HostCalls,
    Job,
    Limits,
    Outcome,
    OutcomeKind,
    Record,
    RunError,
    SandboxStatus,
    forget,
)

# The door of the SDK is one for the whole process.
_LOCK = threading.Lock()


class FakeSandbox:
    """Runs apps with the Python that runs the tests."""

    def run(
        self, job: Job, calls: HostCalls, stop: threading.Event, record: Record = forget
    ) -> Outcome:
        """Run one job to its end."""
        desk = Desk(calls, job.grants, job.limits, record)
        began = time.monotonic()
        answer = _answer(desk, stop)
        with _LOCK, _release(job.code), _door(answer):
            ending = _ending_of(lambda: _act(job, answer), desk)
        ending.wall_ms = int((time.monotonic() - began) * 1000)
        return ending.outcome(job.limits, desk.spent)

    def describe(self, code: Mapping[str, bytes], entry: str, *, limits: Limits) -> dict[str, Any]:
        """The actions of an app. Raises: AppRefused."""
        desk = Desk(Nobody(), grants.EVERYTHING, limits)
        found: dict[str, Any] = {}
        with _LOCK, _release(code), _door(_answer(desk, threading.Event())):
            ending = _ending_of(lambda: found.update(_load(entry).describe()), desk)
        if error := ending.outcome(limits, desk.spent).error:
            raise AppRefused(error)
        return found

    def compile(self, code: Mapping[str, bytes], *, limits: Limits) -> dict[str, bytes]:
        """Bytecode of this Python, which the real sandbox would not take. Raises: AppRefused."""
        made = {}
        for path, text in code.items():
            if path.endswith(".py"):
                try:
                    compiled = compile(text, path, "exec", dont_inherit=True)
                except SyntaxError as error:
                    said = f"{path}, line {error.lineno}: {error.msg}."
                    raise AppRefused(
                        RunError("app.syntax", said), file=path, line=error.lineno or 1
                    ) from error
                made[f"{path}c"] = marshal.dumps(compiled)
        return made

    def status(self) -> SandboxStatus:
        """Always ready."""
        return SandboxStatus(ready=True, runtime="fake", idle=1, max_runners=1)


def _answer(desk: Desk, stop: threading.Event) -> _host.Call:
    """The guest's side of a call, as the bridge of the real runtime has it."""

    def answer(op: str, payload: dict[str, Any]) -> Any:
        if stop.is_set():
            raise Ended("stopped")
        frame = desk.answer({"t": "call", "op": op, "payload": json.dumps(payload)})
        if frame["t"] == "refusal":
            raise HostError(frame["code"], frame["message"])
        return json.loads(frame["value"])

    return answer


def _act(job: Job, answer: _host.Call) -> None:
    app = _load(job.entry)
    for item in app.run(job.action, json.loads(job.input_json), Context(locale=job.locale)):
        answer("output.write", item)


def _load(entry: str) -> App:
    app = getattr(importlib.import_module(entry), "app", None)
    if not isinstance(app, App):
        raise TypeError(f"The module {entry!r} has no `app = App()`.")
    return app


def _ending_of(work: Callable[[], None], desk: Desk) -> Ending:
    try:
        work()
    except Ended as ended:
        if ended.rule == "stopped":
            return Ending(OutcomeKind.STOPPED, "stopped")
        return of_limit(ended.rule, ended.detail)
    except Exception as error:  # noqa: BLE001  # an app may raise anything
        found: dict[str, Any] = {
            "type": type(error).__name__,
            "message": str(error),
            "traceback": "".join(traceback.format_exception(error)),
        }
        if isinstance(error, CaravanError):
            found["code"] = error.code
        if isinstance(error, InvalidInput):
            found["fields"] = error.fields
        return of_result(
            {"t": "outcome", "status": "error", "text": json.dumps(found)}, desk.refusals
        )
    return Ending(OutcomeKind.FINISHED)


class _Source(InspectLoader, MetaPathFinder):
    """Imports a release from memory."""

    def __init__(self, code: Mapping[str, bytes]) -> None:
        self.code = code

    def path_of(self, fullname: str) -> str | None:
        """The file of a module, where the release has it."""
        stem = fullname.replace(".", "/")
        return next((p for p in (f"{stem}/__init__.py", f"{stem}.py") if p in self.code), None)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The specification of a module of the release, or None."""
        found = self.path_of(fullname)
        if found is None:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=found)

    def is_package(self, fullname: str) -> bool:
        """Whether the module is a package."""
        return (self.path_of(fullname) or "").endswith("/__init__.py")

    def get_source(self, fullname: str) -> str:
        """The module's text."""
        return self.code[self.path_of(fullname) or ""].decode()

    def get_code(self, fullname: str) -> Any:
        """The module compiled, under its path in the release."""
        path = self.path_of(fullname) or ""
        return compile(self.get_source(fullname), path, "exec", dont_inherit=True)


@contextmanager
def _release(code: Mapping[str, bytes]) -> Iterator[None]:
    """The modules of the release can be imported, and are forgotten afterwards."""
    finder = _Source(code)
    # A module of the same name that is there already is another app's.
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if finder.path_of(name)}
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in list(sys.modules):
            if finder.path_of(name):
                del sys.modules[name]
        sys.modules.update(hidden)


@contextmanager
def _door(answer: _host.Call) -> Iterator[None]:
    before = _host.install(answer)
    try:
        yield
    finally:
        _host.install(before)
