"""Rules about the code: it parses, imports what exists, declares actions, asks permission."""

from collections.abc import Iterable, Iterator

from caravan.bundle import Bundle
from caravan.checks import source
from caravan.checks.runtime_modules import AVAILABLE, USELESS
from caravan.component import COMPONENT_FILE
from caravan.findings import Finding, Level
from caravan.reading import MANIFEST_FILE

REASONS = {
    "llm.generate": "it uses the model",
    "llm.embed": "it compares texts by their vectors",
    "kv.user": "it keeps values for the person",
    "kv.app": "it keeps values for everyone",
    "files.read": "it reads a file of the person's",
    "net.fetch": "it asks a web address",
    "ads.show": "it shows an advertisement",
    "billing.entitlement": "it asks what was bought",
    "billing.meter": "it counts use that is paid for",
    "user.locale": "it reads the person's language",
}


def _at(
    rule: str, level: Level, message: str, place: source.Place, fix: str | None = None
) -> Finding:
    return Finding(rule, level, message, place.file, place.line, fix)


def too_long(bundle: Bundle) -> Finding | None:
    """Code that nobody could read is not parsed either."""
    total = sum(map(len, bundle.code.values()))
    if total <= source.LONGEST_CODE_BYTES:
        return None
    return Finding(
        "code.too-long",
        "error",
        f"The code has {total} bytes; {source.LONGEST_CODE_BYTES} are the most.",
        fix="Leave out vendored packages that the app does not use.",
    )


def check_code(bundle: Bundle, found: source.Source) -> Iterator[Finding]:
    """Every file parses, and every import can be satisfied."""
    for bad in found.unreadable:
        yield _at(
            "code.syntax",
            "error",
            f"{bad.place.file} cannot be read as Python: {bad.reason}.",
            bad.place,
            "Correct this line; `python -m py_compile` shows the same place.",
        )
    yield from _imports(found)
    if COMPONENT_FILE in bundle.files:
        yield Finding(
            "component.unexpected",
            "error",
            f"{COMPONENT_FILE} is not used by an app in Python.",
            COMPONENT_FILE,
            fix='Remove it, or write kind = "component" in [runtime].',
        )
    for module in source.shadowed(found, AVAILABLE | {"caravan"}):
        yield Finding(
            "code.shadow",
            "error",
            f"The module “{module}” has the name of one that the store's Python has already.",
            fix="Rename it; the store's own would be imported in its place.",
        )
    for name, place in found.dynamic:
        yield _at(
            "code.dynamic",
            "warning",
            f"{name}() makes code while the app runs, which a reviewer cannot read.",
            place,
            "Write the code out if you can.",
        )


def _imports(found: source.Source) -> Iterator[Finding]:
    own = {module.split(".")[0] for module in found.modules} | {"caravan"}
    for name, place in _first_of_each(found.imports):
        if name in own:
            continue
        if name in USELESS:
            yield _at(
                "code.import", "warning", f"“{name}” is of no use here.", place, USELESS[name]
            )
        elif name not in AVAILABLE:
            yield _at(
                "code.import",
                "error",
                f"“{name}” is neither in the bundle nor in the store's Python.",
                place,
                f"Put a pure-Python copy of {name} into the app's folder, or do without it.",
            )


def _first_of_each(facts: Iterable[tuple[str, source.Place]]) -> list[tuple[str, source.Place]]:
    first: dict[str, source.Place] = {}
    for name, place in facts:
        first.setdefault(name, place)
    return list(first.items())


def check_actions(bundle: Bundle, found: source.Source) -> Iterator[Finding]:
    """The entry module has `app = App()`, and something is an action."""
    entry = bundle.manifest.runtime.entry
    path = entry.replace(".", "/")
    if entry not in found.modules:
        yield Finding(
            "actions.entry",
            "error",
            f"The entry module “{entry}” is not in the bundle.",
            MANIFEST_FILE,
            fix=f"Add {path}.py, or name the right module as `entry` in [runtime].",
        )
        return
    file = f"{path}.py" if f"{path}.py" in bundle.files else f"{path}/__init__.py"
    if entry not in found.apps:
        yield Finding(
            "actions.app", "error", f"{file} has no `app = App()`.", file, 1, "Add it at the top."
        )
    if not found.actions:
        yield Finding(
            "actions.none",
            "error",
            "The app has no action.",
            file,
            1,
            'Put `@app.action("What it does")` above a function.',
        )


def check_permissions(bundle: Bundle, found: source.Source) -> Iterator[Finding]:
    """What the code does is asked for in the manifest, and nothing more."""
    manifest = bundle.manifest
    used = _first_of_each(found.permissions)
    for name, place in used:
        if name not in manifest.permissions:
            yield _at(
                "permissions.missing",
                "error",
                f"The app needs “{name}”: {REASONS[name]} here.",
                place,
                f'Add [[permission]] with name = "{name}" and a reason to {MANIFEST_FILE}.',
            )
    for name in sorted(manifest.permissions - dict(used).keys()):
        yield Finding(
            "permissions.unused",
            "warning",
            f"“{name}” is asked for but not used.",
            MANIFEST_FILE,
            fix="Remove it; people trust an app that asks for little.",
        )
    if "net.fetch" in manifest.permissions and not manifest.network.allow:
        yield Finding(
            "permissions.network",
            "error",
            "The app asks for “net.fetch” but names no host to go to.",
            MANIFEST_FILE,
            fix='Add [network] with allow = ["example.org"] and a reason.',
        )
    unknown = {schedule.action for schedule in manifest.schedule} - found.actions.keys()
    for name in sorted(unknown):
        yield Finding(
            "permissions.schedule",
            "error",
            f"[[schedule]] names “{name}”, which is no action of the app.",
            MANIFEST_FILE,
            fix=f"Use one of: {', '.join(found.actions) or 'none yet'}.",
        )
    slots = {slot.name for slot in manifest.ad_slot}
    yield from _declared(found.slots, slots, "ad_slot", "name", "permissions.ad-slot")
    products = {product.id for product in manifest.product}
    yield from _declared(found.products, products, "product", "id", "permissions.product")


def _declared(
    used: list[tuple[str, source.Place]], declared: set[str], table: str, key: str, rule: str
) -> Iterator[Finding]:
    for name, place in _first_of_each(used):
        if name not in declared:
            yield _at(
                rule,
                "error",
                f"“{name}” is not declared as [[{table}]].",
                place,
                f'Add [[{table}]] with {key} = "{name}" to {MANIFEST_FILE}, or use a declared one.',
            )
