"""The loads and figures of the benchmarks, and one whole quick run."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest

from benchmarks.support.loads import QUICK, Texts, compare, jain, p95, store, unrelated
from benchmarks.support.sides import Answer, Request, Run, Shape
from tests.inference.conftest import require_llama

ROOT = Path(__file__).parents[2]


def make_run(seconds: float, *first_s: float) -> Run:
    """A load of answers of ten tokens each."""
    request = Request("app", "person", "hello", 10)
    return Run([Answer(request, first, 10, 8, 2, 10) for first in first_s], seconds)


def test_jains_index_is_one_for_equal_shares_and_falls_with_their_difference() -> None:
    assert jain([5, 5, 5, 5]) == pytest.approx(1)
    assert jain([7, 0, 0, 0]) == pytest.approx(1 / 4)
    assert jain([32, 4, 4, 4]) == pytest.approx(44**2 / (4 * (1024 + 48)))
    assert jain([0, 0]) == 0


def test_the_95th_percentile_is_a_value_that_was_measured() -> None:
    assert p95(iter([3.0])) == 3.0
    assert p95(float(value) for value in range(100, 0, -1)) == 95.0


def test_sides_are_compared_pair_by_pair() -> None:
    pairs = [
        (make_run(1, 0.1, 0.2), make_run(2, 0.4, 0.4)),
        (make_run(1, 0.3), make_run(1, 0.3)),
        (make_run(2, 0.3), make_run(1, 0.1)),
    ]
    figures = compare(pairs)
    assert figures["ratio"] == pytest.approx(1)
    assert figures["ttft_p95_ratio"] == pytest.approx(1)
    assert figures["tokens_per_s"] == pytest.approx(10)
    assert figures["tokens_per_s_llama_server"] == pytest.approx(10)
    assert figures["cached_share"] == figures["cached_share_llama_server"] == 0.25


def test_a_stores_people_share_their_apps_instructions_and_nothing_else() -> None:
    requests = store(Texts(["sand", "dusk", "well"]), QUICK)
    assert len(requests) == QUICK.people
    assert len({request.system for request in requests}) == QUICK.apps
    assert len({request.user for request in requests}) == QUICK.people
    assert fmean(len(request.system.split()) for request in requests) == QUICK.system


def test_a_single_asker_asks_several_rounds() -> None:
    texts = Texts(["sand", "dusk", "well"])
    assert len(unrelated(texts, QUICK, 1)) == 4
    assert len(unrelated(texts, QUICK, 8)) == 8


def test_a_shape_holds_prompt_answer_and_template_in_whole_blocks() -> None:
    model = Path("model.gguf")
    assert Shape.holding(model, 224, 8, 1).context == 256
    assert Shape.holding(model, 225, 8, 1).context == 512


@pytest.mark.timeout(300)
def test_the_benchmark_runs_whole_and_ends_with_its_figures() -> None:
    require_llama()
    parts = [word for part in ("unrelated", "fair") for word in ("--only", part)]
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "inference.py", "--quick", *parts],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert 0 < figures["jain"] <= 1
    assert 0 < figures["outside_decode_share"] < 1
    assert figures["hog_light_ttft_ratio"] > 0
    assert figures["cancel_ms_p95"] > 0
    assert figures["reject_ms_p95"] > 0
    assert {"unrelated_ratio_1", "demo_unrelated_ratio_1"} < figures.keys()
