"""An app whose makers have written every payload into its manifest and its actions."""

from typing import Any

from tests.corpus.forms import schema
from tests.corpus.payloads import Strangers
from tests.factories.catalog import manifest_of

IDENT = "tests.corpus"
NO_INPUT: dict[str, Any] = {"type": "object", "properties": {}, "required": []}


def manifest(by: Strangers) -> dict[str, Any]:
    """The manifest of an app that fills each of its fields."""
    return manifest_of(
        IDENT,
        "1.0.0",
        app={
            "changes": by.packed("changes"),
            "licence": by.line("licence"),
            "support": "mailto:a@b.example?subject=%22onload=x",
            "source": "https://example.org/\"'><b data-in>",
        },
        permission=[{"name": "kv.user", "reason": by.line("permission-reason")}],
        ad_slot=[{"name": "after-result", "formats": ["text"]}],
        setting=[
            {
                "name": "one",
                "type": "text",
                "label": by.line("setting-label"),
                "description": by.line("setting-description"),
            },
            {
                "name": "three",
                "type": "text",
                "label": "Three",
                "default": by.line("setting-default"),
            },
            {
                "name": "two",
                "type": "choice",
                "label": "Two",
                "choices": [by.line("setting-choice"), "b"],
                "required": True,
            },
        ],
        schedule=[{"action": "go", "every": "1d"}],
    )


def waiting_manifest(by: Strangers) -> dict[str, Any]:
    """That of the next version, which waits for a reviewer."""
    return manifest_of(
        IDENT,
        "1.2.0",
        app={
            "name": by.line("waiting-name"),
            "summary": by.line("waiting-summary"),
        },
        permission=[{"name": "kv.app", "reason": by.line("waiting-reason")}],
    )


def action(by: Strangers, name: str) -> dict[str, Any]:
    """One of its actions, of which `go` alone asks for anything."""
    return {
        "name": name,
        "title": by.line(f"action-title-{name}"),
        "doc": by.line(f"action-doc-{name}"),
        "input_schema": schema(by, name) if name == "go" else NO_INPUT,
    }
