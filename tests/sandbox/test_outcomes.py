"""Endings: from what a runner says or how it dies to one clear rule."""

import json
import signal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.sandbox.limits import Spent
from marketplace.sandbox.outcomes import Ending, of_exit, of_limit, of_result
from marketplace.sandbox.ports import Outcome, OutcomeKind
from tests.factories.sandbox import SMALL


def finished(ending: Ending) -> Outcome:
    return ending.outcome(SMALL, Spent(SMALL))


def error_frame(**found: Any) -> dict[str, Any]:
    return {"t": "outcome", "status": "error", "text": json.dumps(found)}


@pytest.mark.parametrize(
    ("frame", "rule"),
    [
        ({"reason": "wall", "signal": signal.SIGKILL}, "limit.wall"),
        ({"reason": "", "signal": signal.SIGPROF}, "limit.cpu"),
        ({"reason": "", "signal": signal.SIGXCPU}, "limit.cpu"),
        ({"reason": "", "signal": signal.SIGKILL}, "sandbox.killed"),
        ({"reason": "", "signal": signal.SIGSEGV}, "sandbox.crashed"),
        ({"reason": "", "signal": 0, "code": 3}, "sandbox.crashed"),
        ({"reason": "stopped", "signal": signal.SIGKILL}, "stopped"),
    ],
)
def test_every_way_to_die_has_its_rule(frame: dict[str, Any], rule: str) -> None:
    outcome = finished(of_exit({"t": "exited", "cpu_ms": 5, **frame}))
    assert outcome.error is not None
    assert outcome.error.rule == rule
    assert outcome.error.message.endswith(".")
    assert outcome.cpu_ms == 5
    assert (outcome.kind is OutcomeKind.STOPPED) == (rule == "stopped")


def test_a_good_answer_finishes_the_run() -> None:
    outcome = finished(of_result({"status": "ok", "text": "{}", "cpu_ms": 3}, {}))
    assert (outcome.kind, outcome.error, outcome.cpu_ms) == (OutcomeKind.FINISHED, None, 3)


def test_too_little_memory_is_a_limit_not_an_error_of_the_app() -> None:
    outcome = finished(of_result(error_frame(type="MemoryError", message=""), {}))
    assert outcome.error is not None
    assert outcome.error.rule == "limit.memory"


def test_the_hosts_words_win_over_the_apps() -> None:
    frame = error_frame(type="HostError", message="Pay me.", code="kv.full")
    outcome = finished(of_result(frame, {"kv.full": "The storage is full."}))
    assert outcome.error is not None
    assert outcome.error.message == "The storage is full."


def test_a_rule_of_the_sdk_keeps_its_message() -> None:
    frame = error_frame(type="PaymentRequired", message="Buy it.", code="payment.required")
    outcome = finished(of_result(frame, {}))
    assert outcome.error is not None
    assert (outcome.error.rule, outcome.error.message) == ("payment.required", "Buy it.")


def test_a_trap_and_a_broken_runner_are_crashes() -> None:
    for status in ("trap", "broken", None):
        ending = of_result({"status": status, "text": "unreachable"}, {})
        assert ending.rule == "sandbox.crashed"


def test_of_a_long_traceback_the_end_is_kept() -> None:
    frame = error_frame(type="ValueError", message="no", traceback="x" * 100_000 + " the end")
    outcome = finished(of_result(frame, {}))
    assert outcome.error is not None
    assert len(outcome.error.traceback) == 16_384
    assert outcome.error.traceback.endswith("x the end")


def test_a_limit_of_the_stores_keeps_what_the_operator_should_know() -> None:
    ending = of_limit("sandbox.host", "ZeroDivisionError()")
    assert (ending.rule, ending.detail) == ("sandbox.host", "ZeroDivisionError()")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(["type", "message", "traceback", "code", "file", "line", "fields"])


@pytest.mark.fuzz
@given(st.text(max_size=30) | st.dictionaries(NAMES, JSON).map(json.dumps) | JSON.map(json.dumps))
def test_whatever_a_guest_says_the_outcome_is_a_sentence(text: str) -> None:
    outcome = finished(of_result({"status": "error", "text": text}, {}))
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error is not None
    assert outcome.error.rule
    assert outcome.error.message


@pytest.mark.fuzz
@given(st.dictionaries(st.sampled_from(["status", "text", "cpu_ms", "reason", "signal"]), JSON))
def test_whatever_a_runner_says_the_outcome_is_a_rule(frame: dict[str, Any]) -> None:
    assert finished(of_exit(frame)).error is not None
    assert finished(of_result(frame, {})).kind in OutcomeKind
