"""Static checks over a bundle: the CLI, CI and the store run these same rules.

Nothing of the app is executed. A release may be published when no finding is an error.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from caravan.bundle import Bundle, build, open_bundle
from caravan.checks import adapter, code, component, icon, screenshots, texts
from caravan.checks.source import Source, read
from caravan.findings import BundleRefused, Finding

# Each family gives only what is wrong; a family that finds nothing passes as a whole.
Family = Callable[[Bundle, Source], Iterator[Finding]]
Families = tuple[tuple[str, str, Family], ...]
PYTHON: Families = (
    ("code", "The code can be read and imports only what the store has.", code.check_code),
    ("actions", "The app declares its actions.", code.check_actions),
    ("permissions", "The permissions fit what the code does.", code.check_permissions),
)
COMPONENT: Families = (
    ("component", "The component fits the store's world.", component.check_component),
)
EVERY: Families = (
    ("icon", "The icon is there, square and safe.", icon.check_icon),
    ("texts", "The app's texts are complete.", texts.check_texts),
    ("evals", "The samples fit the actions.", texts.check_samples),
)

SCREENSHOTS: Families = (
    (
        "screenshots",
        "The screenshots are there, with their captions.",
        screenshots.check_screenshots,
    ),
)
ADAPTER: Families = (("adapter", "The adapter is in the bundle.", adapter.check_adapter),)


def check(bundle: Bundle) -> list[Finding]:
    """Every finding, family by family; a family without one contributes a pass."""
    findings = [
        Finding("bundle", "pass", "The bundle is whole and within its limits."),
        Finding("manifest", "pass", "caravan.toml is complete."),
    ]
    if too_long := code.too_long(bundle):
        return [*findings, too_long]
    source = read(bundle.code)
    own = COMPONENT if bundle.manifest.runtime.kind == "component" else PYTHON
    brought = ADAPTER if bundle.manifest.model.adapter else ()
    shown = SCREENSHOTS if bundle.manifest.screenshot else ()
    for rule, sentence, family in (*own, *brought, *EVERY, *shown):
        findings.extend(list(family(bundle, source)) or [Finding(rule, "pass", sentence)])
    return findings


def check_folder(folder: Path) -> list[Finding]:
    """The findings of an app's folder; of a bundle that is refused, its refusal."""
    return check_bytes(lambda: build(folder))


def check_bytes(read: Callable[[], bytes]) -> list[Finding]:
    """The findings of the bundle that `read` gives; of one that is refused, its refusal."""
    try:
        return check(open_bundle(read()))
    except BundleRefused as refused:
        return list(refused.findings)


def is_publishable(findings: list[Finding]) -> bool:
    """Whether no finding is an error."""
    return all(finding.level != "error" for finding in findings)
