"""Runs in real runners: limits, neighbours, the queue, the secrets, and death."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from marketplace.sandbox.client import RunnerClient
from marketplace.sandbox.ports import Later, Outcome, OutcomeKind
from tests.factories.sandbox import (
    HEAD,
    NOON,
    SMALL,
    Host,
    limits,
    make_job,
    shared_runners,
    start_zygote,
)

WAITING = "ctx.kv.user.get('wait')\nyield 'done'"


def run(body: str, host: Host | None = None, **given: object) -> Outcome:
    return shared_runners().run(make_job(body, **given), host or Host(), threading.Event())


def texts(body: str, **given: object) -> list[str]:
    host = Host()
    outcome = run(body, host, **given)
    assert outcome.error is None
    return host.texts


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], RunnerClient]]:
    process, client = start_zygote(tmp_path, max_runners=1, max_waiting=1, max_asking=1)
    yield process, client
    process.kill()
    process.wait()


def test_bytecode_made_in_the_sandbox_runs_in_place_of_its_source() -> None:
    source = f"{HEAD}    yield 'from bytecode'\n".encode()
    made = shared_runners().compile({"app.py": source}, limits=SMALL)
    broken = {"app.py": b"this is no Python", **made}
    assert texts("", code=broken) == ["from bytecode"]


def test_bytecode_of_another_python_is_ignored() -> None:
    source = f"{HEAD}    yield 'from source'\n".encode()
    assert texts("", code={"app.py": source, "app.pyc": b"\0" * 64}) == ["from source"]


def test_randomness_follows_from_the_seed() -> None:
    body = """
import os, random, secrets, uuid
yield f"{random.random()} {uuid.uuid4()} {secrets.token_hex(4)} {random.Random().random()}"
yield os.urandom(8).hex()
"""
    same, again, other = texts(body, seed=7), texts(body, seed=7), texts(body, seed=8)
    assert same == again
    assert set(same).isdisjoint(other)
    assert len(set(" ".join(same).split())) == 5
    assert UUID(same[0].split()[1]).version == 4


def test_the_clock_starts_at_the_runs_start() -> None:
    body = """
import datetime, time
yield datetime.datetime.now(datetime.UTC).isoformat()
yield str(datetime.date.today())
before = time.perf_counter()
time.sleep(0.05)
yield str(time.perf_counter() - before >= 0.05)
"""
    began, day, slept = texts(body)
    assert began.startswith(NOON.isoformat()[:16])
    assert (day, slept) == ("2026-03-01", "True")


def test_the_clock_stands_still_while_the_app_computes() -> None:
    body = """
import time
before = time.time_ns()
sum(range(3_000_000))
yield str(time.time_ns() - before)
after = time.time_ns()
ctx.kv.user.get('slow')
yield str((time.time_ns() - after) // 1_000_000 >= 50)
"""
    host = Host({"kv.get": lambda _: time.sleep(0.06)})
    lines: list[dict[str, Any]] = []
    outcome = shared_runners().run(make_job(body), host, threading.Event(), lines.append)
    assert outcome.error is None
    assert host.texts == ["0", "True"]
    assert [line["op"] for line in lines] == ["output.write", "kv.get", "output.write"]
    assert lines[1]["at_ms"] - lines[0]["at_ms"] >= 60


def test_an_app_reads_the_files_of_its_release() -> None:
    code = dict(make_job("yield open('words/list.txt').read()").code)
    assert texts("", code=code | {"words/list.txt": "é\n".encode()}) == ["é\n"]


def test_prints_and_log_records_reach_the_developers_log() -> None:
    host = Host()
    run("import logging\nprint('printed')\nlogging.warning('warned')\nprint('end', end='')", host)
    assert host.logged == ["printed", "WARNING:root:warned", "end"]


def test_a_run_says_what_it_used() -> None:
    outcome = run("x = [0] * 2_000_000\nyield str(len(x))")
    assert outcome.cpu_ms > 0
    assert outcome.wall_ms > 0
    assert outcome.peak_memory_bytes > 8_000_000
    assert (outcome.host_calls, outcome.output_bytes > 0) == (1, True)


def test_what_an_app_used_counts_where_the_store_ended_its_run() -> None:
    work = "y = [0] * 2_000_000\nx = sum(n * n for n in range(200_000))"
    outcome = run(f"{work}\nwhile True: yield 'x' * 9000", limits=limits(wall_ms=60_000))
    assert outcome.error is not None
    assert outcome.error.rule == "limit.output"
    assert outcome.cpu_ms > 20
    assert outcome.peak_memory_bytes > 8_000_000


def test_memory_can_be_had_up_to_the_limit_the_job_names() -> None:
    body = "x = bytearray(80 * 2**20)\nyield 'had it'"
    assert texts(body, limits=limits(memory_bytes=160 * 2**20)) == ["had it"]
    refused = run(body)
    assert refused.error is not None
    assert refused.error.rule == "limit.memory"


def test_a_killed_runner_costs_its_own_run_alone() -> None:
    runners = shared_runners()
    both_wait = threading.Barrier(3)
    go_on = threading.Event()
    pids: list[int] = []

    def wait(_: object) -> None:
        both_wait.wait(10)
        go_on.wait(10)

    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(run, WAITING, Host({"kv.get": wait})) for _ in range(2)]
        both_wait.wait(10)
        zygotes = _children(os.getpid(), "marketplace.sandbox.process")
        pids = [pid for zygote in zygotes for pid in _children(zygote)]
        busy = runners.status().busy
        assert busy == 2
        victim = _busy_runner(pids)
        os.kill(victim, signal.SIGKILL)
        go_on.set()
        outcomes = [each.result(10) for each in runs]
    rules = sorted(each.error.rule if each.error else "fine" for each in outcomes)
    assert rules == ["fine", "sandbox.killed"]


def _children(parent: int, command: str = "") -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
            line = (stat.parent / "cmdline").read_bytes().decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent and command in line:
            found.append(int(stat.parent.name))
    return found


def _busy_runner(pids: list[int]) -> int:
    """Of the runners, one that has computed: idle ones have not."""

    def ticks(pid: int) -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[7])  # minor page faults

    return max(pids, key=ticks)


def test_a_host_call_that_is_interrupted_ends_the_runner_and_passes_on() -> None:
    runners = shared_runners()
    with pytest.raises(KeyboardInterrupt):
        run(WAITING, Host({"kv.get": KeyboardInterrupt()}))
    deadline = time.monotonic() + 5
    while runners.status().busy and time.monotonic() < deadline:
        pass
    assert runners.status().busy == 0
    assert texts("yield 'still here'") == ["still here"]


def test_stop_ends_an_endless_loop_soon() -> None:
    stop = threading.Event()
    host = Host({"kv.get": lambda _: stop.set()})
    began = time.monotonic()
    outcome = shared_runners().run(make_job("ctx.kv.user.get('a')\nwhile True: pass"), host, stop)
    assert outcome.kind is OutcomeKind.STOPPED
    assert time.monotonic() - began < 2


def test_runs_wait_in_line_hear_their_place_and_too_many_are_refused(
    zygote: tuple[subprocess.Popen[bytes], RunnerClient],
) -> None:
    _, client = zygote
    started, go_on, queued = threading.Event(), threading.Event(), threading.Event()

    def wait(_: object) -> None:
        started.set()
        go_on.wait(10)

    first, second = Host({"kv.get": wait}), Host({"run.queued": lambda _: queued.set()})
    with ThreadPoolExecutor() as pool:
        running = pool.submit(client.run, make_job(WAITING), first, threading.Event())
        assert started.wait(10)
        waiting = pool.submit(client.run, make_job(), second, threading.Event())
        assert queued.wait(10)
        assert second.calls == [("run.queued", {"position": 1})]
        refused = client.run(make_job(), Host(), threading.Event())
        assert refused.error is not None
        assert refused.error.rule == "sandbox.busy"
        go_on.set()
        assert running.result(10).kind is OutcomeKind.FINISHED
        assert waiting.result(10).kind is OutcomeKind.FINISHED
    assert second.texts == ["hello"]


class Person(Later):
    """Somebody who is asked, and answers when `answers` is set."""

    def __init__(self) -> None:
        self.asked, self.answers, self.left = (threading.Event() for _ in range(3))

    def open(self) -> None:
        self.asked.set()

    def wait(self, seconds: float) -> bool:
        return self.answers.wait(seconds)

    def answer(self) -> str:
        return "seven"

    def close(self) -> None:
        self.left.set()


ASKING = "yield ctx.kv.user.get('a')"


@contextmanager
def asking(client: RunnerClient, **given: int) -> Iterator[tuple[Person, Future[Outcome]]]:
    """A run that waits for its person, and their answer in the end."""
    person = Person()
    host = Host({"kv.get": lambda _: person})
    with ThreadPoolExecutor(1) as pool:
        job = make_job(ASKING, limits=limits(**given))
        running = pool.submit(client.run, job, host, threading.Event())
        assert person.asked.wait(10)
        try:
            yield person, running
        finally:
            person.answers.set()


def test_the_time_in_which_a_person_is_asked_does_not_count() -> None:
    with asking(shared_runners(), wall_ms=2000) as (person, running):
        assert shared_runners().status().asking == 1
        assert not running.done()
        assert not person.left.wait(2.2)
        person.answers.set()
        outcome = running.result(10)
    assert (outcome.kind, outcome.wall_ms < 2000) == (OutcomeKind.FINISHED, True)
    assert person.left.is_set()


def test_a_run_that_asks_leaves_its_place_to_others_and_only_so_many_may(
    zygote: tuple[subprocess.Popen[bytes], RunnerClient],
) -> None:
    _, client = zygote
    with asking(client) as (person, running):
        beside = Host()
        assert client.run(make_job(), beside, threading.Event()).kind is OutcomeKind.FINISHED
        assert beside.texts == ["hello"]
        second = Person()
        refused = client.run(
            make_job(ASKING), Host({"kv.get": lambda _: second}), threading.Event()
        )
        assert refused.error is not None
        assert refused.error.rule == "form.busy"
        assert (second.asked.is_set(), second.left.is_set()) == (False, True)
        person.answers.set()
        assert running.result(10).kind is OutcomeKind.FINISHED


def test_time_goes_on_when_the_person_has_answered() -> None:
    person = Person()
    person.answers.set()
    body = "ctx.kv.user.get('a')\nwhile True: ctx.kv.app.get('b')"
    host = Host({"kv.get": lambda asked: person if asked["key"] == "a" else None})
    many = limits(wall_ms=700, host_calls=10**6)
    outcome = run(body, host, limits=many)
    assert outcome.error is not None
    assert outcome.error.rule == "limit.wall"


def test_a_run_that_is_killed_or_stopped_while_it_asks_ends_at_once() -> None:
    with asking(shared_runners()) as (person, running):
        zygotes = _children(os.getpid(), "marketplace.sandbox.process")
        pids = [pid for zygote in zygotes for pid in _children(zygote)]
        os.kill(_busy_runner(pids), signal.SIGKILL)
        outcome = running.result(5)
        assert outcome.error is not None
        assert outcome.error.rule == "sandbox.killed"
        assert person.left.is_set()
    stop, person, lines = threading.Event(), Person(), []
    with ThreadPoolExecutor(1) as pool:
        host = Host({"kv.get": lambda _: person})
        running = pool.submit(shared_runners().run, make_job(ASKING), host, stop, lines.append)
        assert person.asked.wait(10)
        stop.set()
        assert running.result(5).kind is OutcomeKind.STOPPED
    assert lines[0]["ended"] == "stopped"
    assert person.left.is_set()


def test_the_zygote_keeps_no_secret_in_its_environment(
    zygote: tuple[subprocess.Popen[bytes], RunnerClient],
) -> None:
    process, _ = zygote
    environment = Path(f"/proc/{process.pid}/environ").read_bytes()
    assert b"CARAVAN" not in environment
    assert b"do-not-tell" not in environment


def test_a_zygote_asked_to_end_ends_at_once_with_its_runners(
    zygote: tuple[subprocess.Popen[bytes], RunnerClient],
) -> None:
    process, _ = zygote
    runners = _children(process.pid)
    process.terminate()
    assert process.wait(5) == 0
    assert not [pid for pid in runners if Path(f"/proc/{pid}/mem").exists()]


def test_without_a_zygote_a_run_fails_with_a_sentence(
    zygote: tuple[subprocess.Popen[bytes], RunnerClient],
) -> None:
    process, client = zygote
    started = threading.Event()

    def die(_: object) -> None:
        started.set()
        process.kill()
        process.wait()

    during = client.run(make_job(WAITING), Host({"kv.get": die}), threading.Event())
    after = client.run(make_job(), Host(), threading.Event())
    for outcome in (during, after):
        assert outcome.error is not None
        assert outcome.error.rule in {"sandbox.unavailable", "sandbox.killed"}
    status = client.status()
    assert not status.ready
    assert "does not answer" in status.why_not


def test_many_runs_at_once_do_not_mix_their_answers() -> None:
    def one(number: int) -> list[str]:
        host = Host({"kv.get": number})
        body = "for _ in range(10): yield str(ctx.kv.user.get('a'))"
        assert run(body, host).kind is OutcomeKind.FINISHED
        return host.texts

    numbers = [random.randrange(10**6) for _ in range(24)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, numbers)) == [[str(number)] * 10 for number in numbers]
