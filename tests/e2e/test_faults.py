"""Parts of a running store are killed, and apps mean harm: who notices, and for how long."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.api import Person
from tests.e2e.lab import Lab, ending, first, follow, until

pytestmark = pytest.mark.e2e

BACK_WITHIN_S = 5.0
PARTS = ("engine", "runners", "worker", "web")
STEADY = '''"""Goes on for as long as it is let."""

import time

from caravan import App, Context

app = App()


@app.action("Count")
def count(ctx: Context, steps: int = 30):
    """Count slowly, without the model."""
    for n in range(steps):
        yield f"{n} "
        time.sleep(0.1)
    yield "counted"


@app.action("Write")
def write(ctx: Context, times: int = 1000):
    """Ask the model again and again."""
    for _ in range(times):
        yield "[" + "".join(ctx.llm.stream("Where is the train station?", max_tokens=4)) + "]"
        time.sleep(0.1)


@app.action("Recite")
def recite(ctx: Context):
    """Ask the model for one long answer."""
    long = {"type": "string", "minLength": 700}
    yield from ctx.llm.stream("Where is the train station?", json_schema=long, max_tokens=900)


@app.action("Burn")
def burn(ctx: Context):
    """Compute without end."""
    yield "burning"
    while True:
        pass
'''
HOSTILE = '''"""Means harm."""

import socket
import time

from caravan import App, Context

app = App()


@app.action("Loop")
def loop(ctx: Context):
    """Compute without end."""
    while True:
        pass


@app.action("Bomb")
def bomb(ctx: Context):
    """Take all memory."""
    hoard = []
    while True:
        hoard.append(bytearray(1_000_000))


@app.action("Open")
def read(ctx: Context):
    """Read a file of the machine."""
    yield open("/etc/passwd").read()


@app.action("Connect")
def connect(ctx: Context):
    """Call somebody."""
    yield str(socket.create_connection(("127.0.0.1", 80)))


@app.action("Sleep")
def sleep(ctx: Context):
    """Hold a runner."""
    time.sleep(30)
    yield "slept"


@app.action("Flood")
def flood(ctx: Context):
    """Write without end."""
    while True:
        yield "x" * 10_000
'''
# Action → what the person reads.
HARM = {
    "loop": "computed longer than the 0.5 s it may",
    "bomb": "needed more memory than",
    "read": "an error in its own code",
    "connect": "an error in its own code",
    "sleep": "took longer than the 5 s it may",
    "flood": "wrote more than the 256 KB it may",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One store for all experiments, with one app that is steady and one that is hostile."""
    folder = tmp_path_factory.mktemp("lab")
    made = Lab.open(folder / "data", CARAVAN_REVIEW__AUTO_APPROVE="true")
    with ThreadPoolExecutor(2) as pool:
        steady = pool.submit(
            made.publish, folder, "faults.steady", STEADY, permissions=("llm.generate",)
        )
        hostile = pool.submit(made.publish, folder, "faults.hostile", HOSTILE, wall_s=5, cpu_ms=500)
        assert (steady.result(), hostile.result()) == ("faults.steady", "faults.hostile")
    yield made
    made.close()


@pytest.fixture
def noor(lab: Lab) -> Iterator[Person]:
    """The person whose part is killed."""
    person = lab.person()
    yield person
    person.close()


@pytest.fixture
def sami(lab: Lab) -> Iterator[Person]:
    """Somebody else."""
    person = lab.person()
    yield person
    person.close()


def kill(*pids: int) -> float:
    """End processes with SIGKILL. Returns: when that was."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def allowed_s() -> float:
    """Five seconds on a free processor, longer on a busy one."""
    return BACK_WITHIN_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def works(person: Person, action: str, **values: str) -> bool:
    """Whether a new run of the steady app finishes now."""
    try:
        run = person.start("faults.steady", action, **values)
        return ending(follow(person, run))[0] == "finished"
    except (httpx.HTTPError, AssertionError):
        return False


def back(since: float, person: Person, action: str, **values: str) -> None:
    """A new run finishes, soon after the part was killed."""
    until(lambda: works(person, action, **values), 60)
    took = time.monotonic() - since
    assert took <= allowed_s()


def test_a_killed_engine_costs_the_answers_it_was_writing_and_nobody_else(
    lab: Lab, noor: Person, sami: Person
) -> None:
    counting = sami.start("faults.steady", "count", steps="40")
    seen = follow(noor, noor.start("faults.steady", "recite"))
    assert first(seen, "text")
    [engine] = lab.store.pids("engine")
    killed = kill(engine)
    state, sentence, receipt = ending(seen)
    assert state == "failed"
    assert "model" in sentence
    assert sentence.endswith(".")
    assert "receipt" in receipt
    back(killed, noor, "write", times="1")
    assert ending(follow(sami, counting))[0] == "finished"


def test_a_question_the_killed_engine_had_not_begun_is_answered_by_the_next(
    lab: Lab, noor: Person
) -> None:
    # A blow may fall in the middle of an answer, which then ends: strike again.
    assert any(_outlives_a_kill(lab, noor) for _ in range(5))


def _outlives_a_kill(lab: Lab, noor: Person) -> bool:
    """Whether a run that asks one short question after another went on with the next engine."""
    writing = noor.start("faults.steady", "write", times="20")
    seen = follow(noor, writing)
    assert first(seen, "text")
    [engine] = lab.store.pids("engine")
    # Held still until the run waits, so that the blow falls before the answer's first word.
    os.kill(engine, signal.SIGSTOP)
    until(lambda: lab.waits(writing))
    kill(engine)
    return ending(seen)[0] == "finished"


def ticks(pid: int) -> int:
    """How long a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_killed_runner_costs_its_run_alone(lab: Lab, noor: Person, sami: Person) -> None:
    burning = noor.start("faults.steady", "burn")
    seen = follow(noor, burning)
    assert first(seen, "text")
    counting = sami.start("faults.steady", "count", steps="20")
    counted = follow(sami, counting)
    first(counted, "text")
    _zygote, *runners = lab.store.pids("runners")
    before = {pid: ticks(pid) for pid in runners}
    until(lambda: max(ticks(pid) - before[pid] for pid in runners) > 20)
    killed = kill(max(runners, key=lambda pid: ticks(pid) - before[pid]))
    state, sentence, _ = ending(seen)
    assert state == "failed"
    assert "ended from outside" in sentence
    back(killed, noor, "count", steps="1")
    assert ending(counted)[0] == "finished"


def test_when_all_runners_are_killed_they_come_back(lab: Lab, noor: Person) -> None:
    seen = follow(noor, noor.start("faults.steady", "count", steps="500"))
    first(seen, "text")
    killed = kill(*lab.store.pids("runners"))
    state, sentence, _ = ending(seen)
    assert state == "failed"
    assert sentence.endswith(".")
    back(killed, noor, "count", steps="1")


def test_a_killed_worker_disturbs_no_run_and_takes_up_its_jobs(
    lab: Lab, noor: Person, tmp_path: Path
) -> None:
    seen = follow(noor, noor.start("faults.steady", "count", steps="20"))
    first(seen, "text")
    killed = kill(*lab.store.pids("worker"))
    lab.publish(tmp_path, "faults.later", STEADY, permissions=("llm.generate",))
    assert time.monotonic() - killed <= allowed_s()
    assert ending(seen)[0] == "finished"


def test_a_killed_web_worker_ends_its_runs_uncharged(lab: Lab, noor: Person) -> None:
    run = noor.start("faults.steady", "count", steps="500")
    seen = follow(noor, run)
    first(seen, "text")
    _master, worker = lab.store.pids("web")
    killed = kill(worker)
    with pytest.raises(httpx.HTTPError):
        list(seen)
    back(killed, noor, "count", steps="1")
    state, sentence, receipt = ending(follow(noor, run, after=2))
    assert (state, "Nothing was charged" in sentence) == ("failed", True)
    assert "receipt" in receipt
    assert "Nothing was charged" in noor.client.get(run).text


def test_a_killed_web_master_is_replaced(lab: Lab, noor: Person) -> None:
    run = noor.start("faults.steady", "count", steps="60")
    first(follow(noor, run), "text")
    before = set(lab.store.pids("web"))
    killed = kill(min(before))
    # The old worker takes no more requests once it sees that it is an orphan.
    until(lambda: len(set(lab.store.pids("web")) - before) == 2)
    back(killed, noor, "count", steps="1")
    assert ending(follow(noor, run))[0] == "finished"


@pytest.mark.parametrize("harm", HARM)
def test_a_hostile_app_ends_in_its_error_while_others_work(
    lab: Lab, noor: Person, sami: Person, harm: str
) -> None:
    harming = noor.start("faults.hostile", harm)
    counting = sami.start("faults.steady", "count", steps="5")
    assert ending(follow(sami, counting))[0] == "finished"
    state, sentence, _ = ending(follow(noor, harming))
    assert state == "failed"
    assert HARM[harm] in sentence
    assert HARM[harm] in noor.client.get(harming).text


def test_a_person_stops_a_run_that_would_never_end(lab: Lab, noor: Person) -> None:
    burning = noor.start("faults.steady", "burn")
    seen = follow(noor, burning)
    first(seen, "text")
    asked = time.monotonic()
    noor.post(f"{burning}/stop", "/apps/faults.steady")
    assert ending(seen)[0] == "stopped"
    assert time.monotonic() - asked <= allowed_s() / 2
    assert "You stopped this run" in noor.client.get(burning).text


def test_a_store_that_was_killed_whole_opens_again(lab: Lab, noor: Person) -> None:
    burning = noor.start("faults.steady", "burn")
    first(follow(noor, burning), "text")
    # Nothing stays behind that would hold the port, the sockets or the model.
    lab.store.die()
    assert [pid for part in PARTS for pid in lab.store.pids(part)] == []
    lab.store.start()
    until(lambda: 'role="alert"' in noor.client.get(burning).text)
    assert ending(follow(noor, burning))[0] == "failed"
    assert works(noor, "write", times="1")
