"""Rules about a component: the right world, one plain memory, UTF-8, nothing that runs at once."""

from collections.abc import Iterator

from caravan import component
from caravan.bundle import Bundle
from caravan.checks.source import Source
from caravan.component import COMPONENT_FILE, FUNCTION, INSTANCE, Component
from caravan.findings import Finding

EXPORTS = ("describe", "run")


def check_component(bundle: Bundle, _source: Source) -> Iterator[Finding]:
    """The component of a release whose manifest says that it is one."""
    data = bundle.files.get(COMPONENT_FILE)
    if data is None:
        yield _finding(
            "missing",
            f"The bundle has no {COMPONENT_FILE}.",
            f"Build the component and put it beside caravan.toml as {COMPONENT_FILE}.",
        )
        return
    try:
        found = component.read(data)
    except component.NotAComponent as refused:
        yield from refused.findings
        return
    yield from _check_border(found)
    yield from _check_inside(found)


def _check_border(found: Component) -> Iterator[Finding]:
    world = component.world()
    for name, kind in found.imports.items():
        if name not in world or kind != INSTANCE:
            yield _finding(
                "imports",
                f"The component imports “{name[:100]}”, which no store has.",
                "Turn off what needs it: an app reaches the store's interfaces and nothing else.",
            )
    for name in EXPORTS:
        if found.exports.get(name) != FUNCTION:
            yield _finding(
                "exports",
                f"The component does not export the function “{name}”.",
                "Build it for the world `app` of caravan-app.wit.",
            )
    for encoding in sorted(found.encodings - {"UTF-8"}):
        yield _finding(
            "encoding",
            f"The component passes its texts as {encoding}.",
            "Build it with UTF-8 strings.",
        )


def _check_inside(found: Component) -> Iterator[Finding]:
    if found.memories > 1:
        yield _finding(
            "memories",
            f"The component has {found.memories} memories; an app has one.",
            "Do not compose it of several components.",
        )
    if found.odd_memories:
        yield _finding(
            "memory",
            "The component's memory is shared, 64-bit or of an unusual page size.",
            "Build it for wasm32, without threads.",
        )
    if found.starts:
        yield _finding(
            "start",
            "The component would run before anybody asks it to.",
            "Take its initial state at build time (a snapshot), or begin in `run`.",
        )


def _finding(rule: str, message: str, fix: str) -> Finding:
    return Finding(f"component.{rule}", "error", message, COMPONENT_FILE, fix=fix)
