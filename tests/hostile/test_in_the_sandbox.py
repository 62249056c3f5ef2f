"""What cannot come through the door, for it needs a host that fails or is called within a call."""

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.factories.sandbox import Host, limits, make_job, shared_runners
from tests.hostile.attacks import ATTACKS

TENANTS = 8


def perform(body: str, host: Host) -> tuple[str, str]:
    """The rule and the sentence a run ends with; empty where it finished."""
    job = make_job(body, limits=limits(wall_ms=60_000), grants=frozenset({"kv.user"}))
    error = shared_runners().run(job, host, threading.Event()).error
    return (error.rule, error.message + error.traceback) if error else ("", "")


def test_a_host_that_fails_eight_tenants_at_once_tells_none_of_anothers() -> None:
    hosts = [
        Host({"kv.get": (RuntimeError if n % 2 else ValueError)(f"secret of tenant {n}")})
        for n in range(TENANTS)
    ]
    with ThreadPoolExecutor(TENANTS) as pool:
        ends = list(pool.map(lambda host: perform("ctx.kv.user.get('a')", host), hosts))
    assert [rule for rule, _ in ends] == ["sandbox.host"] * TENANTS
    assert not any("secret" in told for _, told in ends)
    host = Host()
    assert perform("yield 'well'", host) == ("", "")
    assert host.texts == ["well"]


def test_a_call_may_begin_another_run_and_neither_enters_the_other() -> None:
    inner = Host()
    outer = Host({"kv.get": lambda _: perform("yield 'inner'", inner)[0]})
    assert perform("yield 'before'\nyield repr(ctx.kv.user.get('a'))", outer) == ("", "")
    assert (outer.texts, inner.texts) == (["before", "''"], ["inner"])


def test_refused_calls_never_reach_the_host() -> None:
    for name in ("an ungranted permission", "a forged scope", "an op that does not exist"):
        host = Host()
        assert perform(ATTACKS[name][0], host)[0] in ATTACKS[name][1]
        assert [op for op, _ in host.calls if op != "run.queued"] == []
