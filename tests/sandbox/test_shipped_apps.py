"""The shipped apps that read a file, ask their person or fetch, in the real sandbox."""

import base64
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from caravan.bundle import build, open_bundle

from marketplace.sandbox.ports import OutcomeKind, Refused
from tests.factories.sandbox import Host, make_job, shared_runners

PLUGINS = Path(__file__).parents[2] / "plugins"
NOTES = b"Sara: We agreed on mint tea.\n"
FILE = {"file": "f1", "name": "notes.txt", "media_type": "text/plain", "size_bytes": len(NOTES)}
PAGE = {"title": "Tea", "extract": "Tea is a drink that many people like.\n\n== History ==\nOld."}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def run(name: str, action: str, given: dict[str, Any], answers: dict[str, Any]) -> tuple[Any, Host]:
    bundle = open_bundle(build(PLUGINS / name))
    host = Host(answers)
    job = make_job(
        code=bundle.code,
        action=action,
        input_json=json.dumps(given),
        grants=bundle.manifest.permissions,
    )
    return shared_runners().run(job, host, threading.Event()), host


@pytest.mark.parametrize(
    ("name", "action", "given", "answers", "sentence"),
    [
        (
            "minutes",
            "write",
            {"notes": FILE},
            {"files.read": {"base64": encoded(NOTES), "size_bytes": len(NOTES)}},
            "- We agreed on mint tea. (Sara)",
        ),
        (
            "tutor",
            "lesson",
            {"language": "French", "questions": 1},
            {
                "llm.complete": {"text": "Où est la gare ?", "reason": "stop"},
                "form.ask": {"translation": "ou est la gare"},
            },
            "### 1 / 1",
        ),
        (
            "webreader",
            "read",
            {"article": "Tea"},
            {
                "http.fetch": {
                    "status": 200,
                    "headers": {},
                    "body_base64": encoded(json.dumps({"query": {"pages": [PAGE]}}).encode()),
                }
            },
            "- Tea is a drink that many people like.",
        ),
    ],
)
def test_a_shipped_app_works_within_the_walls(
    name: str, action: str, given: dict[str, Any], answers: dict[str, Any], sentence: str
) -> None:
    outcome, host = run(name, action, given, answers)
    assert outcome.kind is OutcomeKind.FINISHED, outcome.error
    assert sentence in "".join(host.texts)


def test_the_web_reader_passes_on_why_the_web_was_refused() -> None:
    refused = ("net.unreachable", "The web does not answer.")
    outcome, _ = run("webreader", "read", {"article": "Tea"}, {"http.fetch": Refused(*refused)})
    assert (outcome.error.rule, outcome.error.message) == refused
