"""Prepared instances: who gets one, what it may not change, and what is never prepared."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from marketplace.sandbox.client import RunnerClient
from marketplace.sandbox.ports import Job, Outcome, OutcomeKind, SandboxStatus
from tests.factories.sandbox import HEAD, SMALL, Host, limits, make_job, start_zygote


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunnerClient]:
    process, client = start_zygote(tmp_path_factory.mktemp("warm"), max_runners=2, max_prepared=3)
    yield client
    process.terminate()
    assert process.wait(5) == 0


def run(client: RunnerClient, job: Job) -> tuple[Outcome, Host]:
    host = Host()
    return client.run(job, host, threading.Event()), host


def prepared(client: RunnerClient, job: Job) -> tuple[Outcome, Host]:
    """Run it until a run of it finds a prepared instance, and that run."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        outcome, host = run(client, job)
        if outcome.was_prepared:
            return outcome, host
        time.sleep(0.02)
    raise AssertionError("no instance was prepared")


def until(client: RunnerClient, what: Callable[[SandboxStatus], bool]) -> None:
    """Ask the zygote again and again until it is so."""
    deadline = time.monotonic() + 20
    while not what(client.status()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def named(name: str, source: str, **given: object) -> Job:
    """A job of a release of this name."""
    return make_job(code={"app.py": source.encode()}, release=name, **given)


COUNTING = f"""seen = []
{HEAD}    import random
    seen.append(1)
    yield f"{{len(seen)}} {{random.random()}}"
"""


def test_a_hot_release_is_prepared_and_a_run_of_it_is_no_different(client: RunnerClient) -> None:
    job = named("counting", COUNTING)
    first, cold = run(client, job)
    assert not first.was_prepared
    for _ in range(3):
        _, warm = prepared(client, job)
        # The same draw, a module's state of its own, no call more or less.
        assert warm.calls == cold.calls
        assert warm.texts[0].startswith("1 ")
    changed, _ = run(client, named("counting-2", COUNTING))
    assert not changed.was_prepared


def test_a_run_that_waits_begins_when_a_prepared_one_ends(client: RunnerClient) -> None:
    # A prepared one begins beside the processes that are ready, and leaves one of them over.
    ends = {name: threading.Event() for name in ("hot", "cold")}
    begun = {name: threading.Event() for name in ends}
    asking = HEAD + "    ctx.kv.user.get('key')\n    yield 'done'\n"

    def wait(name: str) -> None:
        begun[name].set()
        assert ends[name].wait(20)

    def start(name: str) -> threading.Thread:
        host = Host({"kv.get": lambda _: wait(name)})
        job = named(name, asking, limits=limits(wall_ms=30_000))
        going = threading.Thread(target=client.run, args=(job, host, threading.Event()))
        going.start()
        return going

    until(client, lambda status: status.waiting == status.busy == 0)
    ends["hot"].set()
    deadline = time.monotonic() + 20
    while not client.status().prepared:
        assert time.monotonic() < deadline
        start("hot").join()
    until(client, lambda status: status.busy == 0)
    ends["hot"].clear()
    begun["hot"].clear()
    going = [start("hot")]
    assert begun["hot"].wait(10)
    going.append(start("cold"))
    assert begun["cold"].wait(10)
    third = threading.Thread(target=run, args=(client, named("third", COUNTING)))
    third.start()
    until(client, lambda status: status.waiting == 1)
    ends["hot"].set()
    third.join(10)
    has_begun = not third.is_alive()
    ends["cold"].set()
    for each in (*going, third):
        each.join(10)
    assert has_begun


def test_what_importing_computes_is_paid_by_the_run(client: RunnerClient) -> None:
    job = named("working", "sum(range(1_500_000))\n" + HEAD + "    yield 'done'\n")
    cold, _ = run(client, job)
    warm, _ = prepared(client, job)
    assert warm.cpu_ms > cold.cpu_ms / 3 > 5
    little = replace(job, limits=limits(cpu_ms=1))
    stopped, _ = prepared(client, little)
    assert stopped.error is not None
    assert stopped.error.rule == "limit.cpu"


@pytest.mark.parametrize(
    ("name", "top"),
    [
        ("draws", "import random\nrandom.random()"),
        ("has-a-node", "import uuid\nuuid.getnode()"),
        ("reads-the-clock", "import time\ntime.time()"),
        ("asks-in-secret", "import os\ntry:\n    os.urandom(4)\nexcept Exception:\n    pass"),
        ("prints", "print('imported')"),
        ("breaks", "raise ValueError('no camel')"),
        ("computes-long", "while True: pass"),
    ],
)
def test_a_release_whose_import_a_run_could_tell_is_never_prepared(
    client: RunnerClient, name: str, top: str
) -> None:
    job = named(name, f"{top}\n{HEAD}    yield 'done'\n", limits=limits(cpu_ms=40))
    for _ in range(12):
        outcome, _ = run(client, job)
        assert not outcome.was_prepared
        time.sleep(0.02)
    assert client.status().ready


def test_modules_and_files_of_a_prepared_release_are_there_later(client: RunnerClient) -> None:
    code = {
        "app.py": f"{HEAD}    import words.late\n    yield words.late.TEXT\n".encode(),
        "words/__init__.py": b"",
        "words/late.py": b"TEXT = open('words.txt').read()\n",
        "words.txt": b"marhaba",
        # More than is sent ahead of the runner's answer.
        "large.bin": bytes(200_000),
    }
    _, host = prepared(client, make_job(code=code, release="late"))
    assert host.texts == ["marhaba"]


def test_without_a_name_nothing_is_prepared(client: RunnerClient) -> None:
    for _ in range(5):
        outcome, _ = run(client, make_job(limits=SMALL))
        assert (outcome.kind, outcome.was_prepared) == (OutcomeKind.FINISHED, False)
