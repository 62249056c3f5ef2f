"""What an app says of itself and what it answers, every word of it a stranger's."""

from typing import Any

from tests.corpus.payloads import Strangers

PIXEL = "R0lGODlhAQABAAAAACH5BAEAAAAALAAAAAABAAEAAAIBAAA="


def field(by: Strangers, name: str, **more: Any) -> dict[str, Any]:
    """A form's field, every word of it a stranger's."""
    return {
        "type": "string",
        "description": by.line(f"{name}-description"),
        "examples": [by.line(f"{name}-example")],
        "x-ui": {"label": by.line(f"{name}-label")},
        **more,
    }


def schema(by: Strangers, name: str) -> dict[str, Any]:
    """A form with every kind of field."""
    options = [by.line(f"{name}-option"), "b", "c", "d", "e"]
    inner = {"type": "object", "properties": {"cell": field(by, f"{name}-cell")}}
    ui = {"label": "C"}
    lines = {"widget": "textarea", "label": "L", "placeholder": by.line(f"{name}-placeholder")}
    return {
        "type": "object",
        "properties": {
            "text": field(by, f"{name}-text", default=by.line(f"{name}-default")),
            "lines": {"type": "string", "x-ui": lines},
            "choice": {"type": "string", "enum": options, "default": options[0], "x-ui": ui},
            "group": {**inner, "description": by.line(f"{name}-group"), "x-ui": {"label": "G"}},
            "rows": {"type": "array", "items": inner, "x-ui": {"label": by.line(f"{name}-rows")}},
        },
        "required": [],
    }


def output(by: Strangers) -> list[dict[str, Any]]:
    """Every kind of result."""
    return [
        {"kind": "text", "text": by.packed("output-text"), "is_markdown": False},
        {"kind": "text", "text": by.packed("output-markdown"), "is_markdown": True},
        {"kind": "json", "value": {by.line("output-json-key"): by.line("output-json-value")}},
        {
            "kind": "table",
            "columns": [{"name": "c", "label": by.line("output-column"), "type": "text"}],
            "rows": [[by.line("output-cell")], [None], [True]],
        },
        {
            "kind": "chart",
            "type": "bar",
            "title": by.line("output-chart-title"),
            "x": [by.line("output-chart-place"), "b"],
            "series": [{"name": by.line("output-chart-series"), "values": [1, 2]}],
        },
        {
            "kind": "image",
            "media_type": "image/gif",
            "base64": PIXEL,
            "alt": by.line("output-alt"),
        },
    ]
