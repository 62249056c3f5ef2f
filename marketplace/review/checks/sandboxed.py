"""The app is imported in the sandbox: it compiles there, and says what it can do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caravan.bundle import Bundle
from caravan.component import COMPONENT_FILE
from caravan.findings import Finding
from caravan.reading import MANIFEST_FILE

from marketplace.kernel.errors import Unavailable
from marketplace.review.checks.described import check_description
from marketplace.sandbox.limits import clamp
from marketplace.sandbox.ports import AppRefused, Sandbox
from marketplace.sandbox.settings import SandboxSettings

# How a job in the sandbox ends through no fault of the app.
NOT_THE_APPS_FAULT = frozenset(
    {"sandbox.unavailable", "sandbox.busy", "sandbox.killed", "sandbox.host", "stopped"}
)
LEFT_OUT = ("assets/", "listing/", "evals/")


class SandboxAway(Unavailable):
    """The sandbox cannot say anything about the app now; ask again later."""


@dataclass(frozen=True)
class Prepared:
    """What the sandbox made of a bundle.

    Args:
        files: what a runner will get: sources, bytecode and data.
        actions: what the app says of itself; empty when it could not be imported.
    """

    findings: list[Finding]
    files: Mapping[str, bytes] = field(default_factory=dict)
    actions: Mapping[str, Any] = field(default_factory=dict)


def prepare(bundle: Bundle, sandbox: Sandbox, settings: SandboxSettings) -> Prepared:
    """Compile and describe the app inside the sandbox, under the limits of one run.

    Raises: SandboxAway when the sandbox does not answer; that is not the app's fault.
    """
    limits = clamp({}, usual=settings.usual, ceiling=settings.ceiling)
    sources = {path: data for path, data in bundle.files.items() if _is_run(path, bundle)}
    try:
        files = {**sources, **sandbox.compile(sources, limits=limits)}
        actions = sandbox.describe(files, bundle.manifest.runtime.entry, limits=limits)
    except AppRefused as refused:
        if refused.rule in NOT_THE_APPS_FAULT:
            raise SandboxAway(refused.message, rule=refused.rule) from refused
        return Prepared([_finding(refused)])
    if not actions.get("actions"):
        message = "The app declares no action, so there is nothing to run."
        fix = "Put @app.action(“What it does”) on a function of the entry module."
        return Prepared([Finding("sandbox.actions", "error", message, fix=fix)])
    if wrong := check_description(actions):
        return Prepared([wrong])
    names = ", ".join(action["name"] for action in actions["actions"])
    done = Finding("sandbox", "pass", f"The app starts in the sandbox. Its actions: {names}.")
    return Prepared([done], files, actions)


def _is_run(path: str, bundle: Bundle) -> bool:
    """Whether a runner needs this file; a component brings everything along in itself."""
    if bundle.manifest.runtime.kind == "component":
        return path == COMPONENT_FILE
    return not path.startswith(LEFT_OUT) and path != MANIFEST_FILE


def _finding(refused: AppRefused) -> Finding:
    detail = refused.traceback.strip().splitlines()
    message = refused.message
    if detail and detail[-1] not in message:
        message = f"{message} {detail[-1]}"
    return Finding(
        refused.rule or "sandbox.refused",
        "error",
        message,
        refused.file or None,
        refused.line or None,
        "Run `caravan check` and `caravan run` on your machine, and publish a higher version.",
    )
