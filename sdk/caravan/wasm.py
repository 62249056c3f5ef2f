"""One simulated run in the store's real sandbox: the same desk answers, WebAssembly asks.

As a plugin of pytest (`-p caravan.wasm`) it takes every simulator's runs there.
"""

import builtins
import functools
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caravan import bundle, errors, schema, testing, workbench
from caravan.app import App
from caravan.errors import (
    CaravanError,
    HostError,
    InvalidInput,
    PaymentRequired,
    UnknownAction,
)
from caravan.simulation import PERMISSIONS, Desk

ALL = frozenset({*PERMISSIONS.values(), "llm.generate", "kv.user", "kv.app", "user.locale"})
FAMILY = {
    each.code: each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, CaravanError)
}


class AppFailed(CaravanError):
    """The app raised something of its own inside the sandbox."""


def pytest_configure() -> None:
    """Begin: from now on simulators run in the sandbox."""
    testing.run_elsewhere(run_in_sandbox)


def pytest_unconfigure() -> None:
    """End."""
    testing.run_elsewhere(None)


@dataclass(frozen=True)
class Described:
    """One action as an app of any language describes it."""

    input_schema: Mapping[str, Any]


class Component:
    """An app in any language; its runs are performed in the real sandbox.

    result = Simulator(Component(Path("."))).run("answer", question="Why?")
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    @functools.cached_property
    def actions(self) -> Mapping[str, Described]:
        """What it can do. Raises: NoSandbox, BundleRefused, or what it raises itself."""
        code, entry, _limits = release_of(self._folder)
        found = workbench.shared().describe(code, entry)
        if "outcome" in found:
            raise raised(found["outcome"]["error"])
        return {each["name"]: Described(each["input_schema"]) for each in found["actions"]}

    def perform(
        self, desk: Desk, action: str, values: Mapping[str, Any], locale: str
    ) -> Sequence[dict[str, Any]]:
        """The items of one run. Raises: UnknownAction, InvalidInput, what it raises itself."""
        found = self.actions.get(action)
        if found is None:
            known = ", ".join(self.actions) or "none"
            raise UnknownAction(f"This app has no action “{action}”; it has: {known}.")
        if problems := schema.check(dict(values), found.input_schema):
            raise InvalidInput(problems)
        return _performed(self._folder, desk, action, values, locale)


def run_in_sandbox(
    app: App, desk: Desk, action: str, values: Mapping[str, Any], locale: str
) -> Sequence[dict[str, Any]]:
    """The items of one run. Raises: what the run would raise outside, or NoSandbox."""
    return _performed(_folder_of(app), desk, action, values, locale)


def _performed(
    folder: Path, desk: Desk, action: str, values: Mapping[str, Any], locale: str
) -> Sequence[dict[str, Any]]:
    code, entry, limits = release_of(folder)
    items: list[dict[str, Any]] = []

    def answer(op: str, payload: dict[str, Any]) -> Any:
        if op == "output.write":
            items.append(payload)
            return None
        value = desk.call(op, payload)
        items.extend(desk.take_written())
        return value

    grants = ALL if desk.permissions is None else frozenset(desk.permissions)
    job = workbench.WasmJob(code, entry, action, values, grants, limits, locale)
    outcome = workbench.shared().run(job, answer)["outcome"]
    if error := outcome.get("error"):
        raise raised(error)
    return items


def raised(error: Mapping[str, Any]) -> Exception:
    """The exception that a run outside the sandbox would have ended with."""
    rule, message = error["rule"], error["message"]
    if error.get("fields"):
        return InvalidInput(error["fields"])
    if rule == PaymentRequired.code:
        return PaymentRequired(message.partition("“")[2].partition("”")[0])
    if rule in FAMILY and rule != "app.error":
        return FAMILY[rule](message)
    last = (error.get("traceback") or "").strip().rpartition("\n")[2]
    kind = getattr(builtins, last.partition(":")[0], None)
    if rule == "app.error" and isinstance(kind, type) and issubclass(kind, Exception):
        return kind(last.partition(": ")[2])
    return HostError(rule, message) if rule != "app.error" else AppFailed(message)


def _folder_of(app: App) -> Path:
    """The folder with the caravan.toml of the module an app is made in."""
    action = next(iter(app.actions.values()), None)
    file = inspect.getsourcefile(action.function) if action else None
    for folder in Path(file).resolve().parents if file else ():
        if (folder / "caravan.toml").is_file():
            return folder
    raise workbench.NoSandbox("The app's folder with its caravan.toml cannot be found.")


@functools.cache
def release_of(folder: Path) -> tuple[Mapping[str, bytes], str, Mapping[str, int | None]]:
    """What a store would run: the bundle's files, the entry module and the manifest's limits."""
    opened = bundle.open_bundle(bundle.build(folder))
    limits = opened.manifest.limits.model_dump()
    return opened.files, opened.manifest.runtime.entry, limits
