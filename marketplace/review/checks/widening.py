"""Permissions that a new version asks for and the published one did not."""

from collections.abc import Iterator, Mapping
from typing import Any

from caravan.findings import Finding

RULE = "permission.widened"


def check_widening(
    manifest: Mapping[str, Any], live: Mapping[str, Any] | None
) -> Iterator[Finding]:
    """A warning for each permission that is new against the live manifest."""
    if live is None:
        return
    before = {entry["name"] for entry in live["permission"]}
    for entry in manifest["permission"]:
        if entry["name"] not in before:
            yield Finding(
                RULE,
                "warning",
                f"This version asks for “{entry['name']}”, which the published one does not.",
                "caravan.toml",
                fix="Say in the reason what people get for it.",
            )
