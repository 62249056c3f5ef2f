"""Apps that mean harm: each ends in a clear rule while its neighbour goes on."""

import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from marketplace.sandbox.ports import Outcome, OutcomeKind
from tests.factories.sandbox import Host, limits, make_job, shared_runners
from tests.hostile.attacks import AMPLE_CPU_MS, ATTACKS, cpu_ms_for

IMPATIENT = limits(wall_ms=700, cpu_ms=AMPLE_CPU_MS)


def perform(body: str, host: Host, rules: Collection[str] = ()) -> Outcome:
    tight = IMPATIENT
    if "sleep" not in body:
        most = cpu_ms_for(rules)
        tight = limits(wall_ms=30_000, cpu_ms=most, output_bytes=20_000, host_calls=300)
    job = make_job(body, limits=tight, grants=frozenset({"kv.user"}))
    return shared_runners().run(job, host, threading.Event())


@pytest.fixture(scope="module")
def neighbour() -> Iterator[Host]:
    """A run that is there the whole time, and must not notice anything."""
    go_on = threading.Event()
    host = Host({"kv.get": lambda _: go_on.wait(60)})
    body = "yield 'before'\nctx.kv.user.get('wait')\nyield 'after'"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            shared_runners().run, make_job(body, limits=limits(wall_ms=60_000)), host,
            threading.Event(),
        )  # fmt: skip
        yield host
        go_on.set()
        assert running.result(30).kind is OutcomeKind.FINISHED
        assert host.texts == ["before", "after"]


@pytest.fixture(scope="module")
def outcomes(neighbour: Host) -> dict[str, tuple[Outcome, Host]]:
    """Every attack, three at a time."""
    hosts = {name: Host() for name in ATTACKS}
    with ThreadPoolExecutor(3) as pool:
        ended = pool.map(
            lambda name: perform(ATTACKS[name][0], hosts[name], ATTACKS[name][1]), ATTACKS
        )
        return {name: (each, hosts[name]) for name, each in zip(ATTACKS, ended, strict=True)}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_in_a_clear_rule(
    outcomes: dict[str, tuple[Outcome, Host]], name: str
) -> None:
    outcome, _ = outcomes[name]
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error is not None
    assert outcome.error.rule in ATTACKS[name][1]
    assert outcome.error.message.endswith((".", "!")) or outcome.error.rule == "app.error"


def test_the_runners_are_all_well_after_the_attacks(
    outcomes: dict[str, tuple[Outcome, Host]],
) -> None:
    host = Host()
    assert perform("yield 'well'", host).kind is OutcomeKind.FINISHED
    assert host.texts == ["well"]


def test_refused_calls_never_reach_the_host(outcomes: dict[str, tuple[Outcome, Host]]) -> None:
    for name in ("an ungranted permission", "a forged scope", "an op that does not exist"):
        asked = [op for op, _ in outcomes[name][1].calls if op != "run.queued"]
        assert asked == []
