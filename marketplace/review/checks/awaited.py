"""What an app may ask for that this version of the store does not give yet."""

from collections.abc import Iterator, Mapping
from typing import Any

from caravan.findings import Finding

RULE = "store.awaited"


def check_awaited(manifest: Mapping[str, Any]) -> Iterator[Finding]:
    """A warning for each part of a manifest that has no effect in this store yet."""
    if manifest.get("schedule"):
        yield _finding("[[schedule]]", "runs by the clock", "Let people start the action.")


def _finding(asked: str, what: str, fix: str) -> Finding:
    return Finding(
        RULE,
        "warning",
        f"caravan.toml has {asked}, but this store does not give apps {what} yet.",
        "caravan.toml",
        fix=fix,
    )
