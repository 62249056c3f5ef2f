"""The shipped app in JavaScript: the committed component is made of its source, and works."""

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from caravan.manifest import Case
from caravan.reading import read_samples

from marketplace.sandbox.ports import OutcomeKind, Refused
from tests.factories.sandbox import SMALL, Host, make_job, shared_runners

FOLDER = Path(__file__).parents[2] / "plugins" / "markdown"
SAMPLES = FOLDER / "evals" / "documents.toml"


@pytest.fixture(scope="module")
def code() -> dict[str, bytes]:
    """The component, compiled; that takes long once a machine."""
    code = {"component.wasm": (FOLDER / "component.wasm").read_bytes()}
    return code | shared_runners().compile(code, limits=SMALL)


def test_the_component_is_made_of_the_source_beside_it() -> None:
    for line in (FOLDER / "component.lock").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, (
            f"{name} has changed: run `npm install && npm run build` in plugins/markdown."
        )


@pytest.mark.parametrize(
    "case", read_samples(SAMPLES.read_bytes(), "evals/documents.toml").case, ids=lambda c: c.name
)
def test_its_samples_hold(code: dict[str, bytes], case: Case) -> None:
    host = Host()
    job = make_job(code=code, action=case.action, input_json=json.dumps(case.input))
    outcome = shared_runners().run(job, host, threading.Event())
    assert outcome.kind is OutcomeKind.FINISHED
    text = "".join(host.texts)
    assert [each for each in case.expect_contains if each not in text] == []


def run(code: dict[str, bytes], answers: dict[str, Any], action: str = "document") -> Any:
    asked = {"title": "Tea", "notes": "Mint.", "introduction": True}
    host = Host(answers)
    job = make_job(code=code, action=action, input_json=json.dumps(asked))
    return shared_runners().run(job, host, threading.Event()), host


def test_it_writes_what_the_model_says_piece_by_piece(code: dict[str, bytes]) -> None:
    pieces = iter([{"text": "All about "}, {"text": "tea."}, {"end": "stop"}])
    outcome, host = run(code, {"llm.open": 3, "llm.next": lambda _: next(pieces)})
    assert outcome.kind is OutcomeKind.FINISHED
    assert "".join(host.texts) == "# Tea\n\nAll about tea.\n\nMint.\n\n"
    assert ("llm.next", {"handle": 3}) in host.calls


def test_a_refusal_of_the_store_ends_it_in_the_stores_own_words(code: dict[str, bytes]) -> None:
    outcome, _ = run(code, {"llm.open": Refused("limit.llm_tokens", "The tokens are used up.")})
    assert (outcome.error.rule, outcome.error.message) == (
        "limit.llm_tokens",
        "The tokens are used up.",
    )


def test_its_own_errors_name_the_line(code: dict[str, bytes]) -> None:
    outcome, _ = run(code, {}, action="nothing")
    assert outcome.error.rule == "app.error"
    assert "app.js:" in outcome.error.traceback
