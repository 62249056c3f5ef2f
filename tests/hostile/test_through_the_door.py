"""Hostile apps in a whole store: uploaded by a developer, run by a person, beside a neighbour."""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from caravan.bundle import pack

from tests.e2e.api import Person
from tests.e2e.lab import Lab, until
from tests.factories.components import make_component
from tests.hostile.attacks import AMPLE_CPU_MS, ATTACKS, FURTHER, cpu_ms_for
from tests.hostile.uploads import UPLOADS, files

# Everything is uploaded and run before the first test looks; a loaded machine takes minutes.
pytestmark = pytest.mark.timeout(600)
RUNS = {**ATTACKS, **FURTHER}
# What no static check lets through is imported as a real attacker would: at run time.
IMPORTS = re.compile(r"^import ([\w, ]+)", re.MULTILINE)
FROM = re.compile(r"^from ([\w.]*(?:wit_world)[\w.]*) import (\w+)", re.MULTILINE)
HEAD = (
    "from caravan import App, Context\napp = App()\n\n\n@app.action('Go')\ndef go(ctx: Context):\n"
)
LIMITS = """
[limits]
wall_s = {wall_s}
cpu_ms = {cpu_ms}
output_kb = 20
host_calls = 300

[[permission]]
name = "kv.user"
reason = "The attack may need it."

[[permission]]
name = "files.read"
reason = "The attack may need it."
"""
NEIGHBOUR = "    yield str(ctx.kv.user.incr('count'))\n"
ALLOW = "kv.user,files.read,llm.generate"
AT_ONCE = 3
WAITING = 15
# Memory that Python may keep for itself after some hundred requests, in MiB.
SLACK_MB = 40
# Between two runs of the neighbour: several in each second, and time for the attacks.
BREATH_S = 0.2


@dataclass
class Stage:
    """A store, the people in it, and what became of every case."""

    lab: Lab
    people: list[Person]
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)
    neighbours: list[tuple[float, float, list[tuple[str, str]]]] = field(default_factory=list)
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    audits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def ident_of(name: str) -> str:
    return f"hostile.{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}"


def source_of(body: str) -> str:
    """The app of a run case."""

    def late(found: re.Match[str]) -> str:
        names = [name.strip() for name in found[1].split(",")]
        return "; ".join(f"{name} = __import__('{name}')" for name in names)

    body = FROM.sub(r"\2 = __import__('\1', fromlist=['\2']).\2", body)
    lines = IMPORTS.sub(late, body).strip().splitlines()
    return HEAD + "".join(f"    {line}\n" for line in lines)


def bundle_of(name: str, body: str, rules: Collection[str]) -> bytes:
    more = LIMITS.format(wall_s=2 if "sleep" in body else 20, cpu_ms=cpu_ms_for(rules))
    return pack(files(ident_of(name), {"app.py": source_of(body)}, more))


def submit(lab: Lab, name: str, data: bytes, states: dict[str, dict[str, Any]]) -> None:
    answer = lab.upload(data)
    states[name] = answer.json() | {"status": answer.status_code}


def settle(lab: Lab, states: dict[str, dict[str, Any]], name: str) -> None:
    """Wait until the checks of an upload have ended, and keep what they found."""
    state = states[name]

    def is_decided() -> bool:
        state.update(lab.asked(state["checks_url"]).json())
        return bool(state["state"] != "checking")

    if state.get("state") == "checking":
        until(is_decided, 120)


def upload_all(stage: Stage, come_in: Callable[[str], None]) -> None:
    """Upload every case; each that came in is told at once, so that it runs beside the others."""
    bundles = {name: make(ident_of(name)) for name, (_, make) in UPLOADS.items()}
    bundles |= {name: bundle_of(name, body, rules) for name, (body, rules) in RUNS.items()}
    waiting: deque[str] = deque()

    def take_oldest() -> None:
        # Checks are made in the order of the uploads.
        name = waiting.popleft()
        settle(stage.lab, stage.states, name)
        if name in RUNS and stage.states[name].get("state") == "published":
            come_in(name)

    for name, data in bundles.items():
        submit(stage.lab, name, data, stage.states)
        waiting.append(name)
        if len(waiting) >= WAITING:
            take_oldest()
    while waiting:
        take_oldest()


def begin(person: Person, ident: str) -> str:
    """Run an app without the pages around it, which other tests look at. Returns: its path."""
    answer = person.client.post(
        f"/apps/{ident}/runs",
        data={"csrf_token": person.csrf_token, "-action": "go", "-allow": ALLOW},
        follow_redirects=False,
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def carry_out(stage: Stage, person: Person, name: str) -> None:
    began = time.monotonic()
    run = begin(person, ident_of(name))
    person.events(run)
    stage.spans[name] = (began, time.monotonic())
    stage.audits[name] = audit_of(stage.lab, run)


def audit_of(lab: Lab, run: str) -> list[dict[str, Any]]:
    path = lab.store.data_dir / "runs" / f"{run.rpartition('/')[2]}.audit.jsonl"
    lines: list[dict[str, Any]] = []

    def is_whole() -> bool:
        lines[:] = [json.loads(line) for line in path.read_text().splitlines()]
        return "end" in lines[-1]

    until(is_whole)
    return lines


def measures(lab: Lab) -> dict[str, float]:
    """Processes, descriptors and memory of the parts that a hostile app comes near."""
    found: dict[str, float] = {}
    for part in ("runners", "web", "worker"):
        pids = lab.store.pids(part)
        found[f"{part} processes"] = len(pids)
        oldest = pids[0]
        found[f"{part} descriptors"] = len(list(Path(f"/proc/{oldest}/fd").iterdir()))
        status = Path(f"/proc/{oldest}/smaps_rollup").read_text()
        kib = [int(line.split()[1]) for line in status.splitlines() if line.startswith("Private_")]
        found[f"{part} mb"] = sum(kib) / 1024
    return found


def live_beside(stage: Stage, person: Person, done: threading.Event) -> None:
    """The neighbour: one small run after another, each counting one further."""
    while not done.is_set():
        began = time.monotonic()
        events = person.events(begin(person, "hostile.neighbour"))
        stage.neighbours.append((began, time.monotonic(), events))
        done.wait(BREATH_S)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Upload everything, run what came in, and look at the store before and after."""
    lab = Lab.open(
        tmp_path_factory.mktemp("hostile") / "data",
        CARAVAN_SANDBOX__CPU_MS="1000",
        CARAVAN_SANDBOX__WALL_MS="8000",
        CARAVAN_RUNS__AT_ONCE_PER_PERSON="10",
        CARAVAN_RUNS__FORM_WAIT_S="1",
        # The neighbour runs so often that processes would be kept ready for it, and counted.
        CARAVAN_SANDBOX__MAX_PREPARED="0",
    )
    made = Stage(lab, [lab.person() for _ in range(AT_ONCE + 1)])
    states: dict[str, dict[str, Any]] = {}
    more = LIMITS.format(wall_s=20, cpu_ms=AMPLE_CPU_MS)
    submit(lab, "n", pack(files("hostile.neighbour", {"app.py": HEAD + NEIGHBOUR}, more)), states)
    greeting = files("hostile.greeting", {"component.wasm": make_component()}, kind="component")
    submit(lab, "g", pack(greeting), states)
    for name in states:
        settle(lab, states, name)
    assert {each["state"] for each in states.values()} == {"published"}, states
    for person in made.people:
        person.events(person.start("hostile.greeting", "go"))
    made.before = measures(lab)
    done = threading.Event()
    free: SimpleQueue[Person] = SimpleQueue()
    for person in made.people[:-1]:
        free.put(person)

    def one(name: str) -> None:
        person = free.get()
        try:
            carry_out(made, person, name)
        finally:
            free.put(person)

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        beside = pool.submit(live_beside, made, made.people[-1], done)
        going: list[Future[None]] = []
        upload_all(made, lambda name: going.append(pool.submit(one, name)))
        for each in going:
            each.result(120)
        done.set()
        beside.result(60)
    until(lambda: measures(lab)["runners processes"] <= made.before["runners processes"])
    made.after = measures(lab)
    yield made
    for person in made.people:
        person.close()
    lab.close()


@pytest.mark.parametrize("name", UPLOADS)
def test_a_hostile_upload_is_turned_down_by_its_rule(stage: Stage, name: str) -> None:
    state = stage.states[name]
    if state["status"] == 201:
        assert state["state"] == "rejected", state
        rules = [each["rule"] for each in state["checks"] if each["level"] == "error"]
    else:
        assert state["status"] in {413, 422}, state
        rules = [state["rule"], *(each["rule"] for each in state.get("findings", []))]
    assert UPLOADS[name][0] in rules


@pytest.mark.parametrize("name", RUNS)
def test_a_hostile_run_ends_in_its_rule_and_the_audit_log_has_it(stage: Stage, name: str) -> None:
    assert stage.states[name]["state"] == "published", stage.states[name]
    first, *calls, last = stage.audits[name]
    assert (first["app"], first["action"]) == (ident_of(name), "go")
    assert [call["n"] for call in calls] == list(range(1, len(calls) + 1))
    assert last["end"]["kind"] == "failed"
    assert last["end"]["rule"] in RUNS[name][1]
    assert last["end"]["host_calls"] == len(calls)


@pytest.mark.parametrize("name", RUNS)
def test_a_neighbour_in_the_same_second_is_untouched(stage: Stage, name: str) -> None:
    began, ended = stage.spans[name]
    beside = [one for one in stage.neighbours if one[0] < ended + 1 and one[1] > began - 1]
    assert beside
    for _, _, events in beside:
        names = [event for event, _ in events]
        assert "text" in names
        assert "failed" not in names


def test_the_neighbour_lost_no_count(stage: Stage) -> None:
    texts = [
        json.loads(data)["text"]
        for *_, events in stage.neighbours
        for event, data in events
        if event == "text"
    ]
    assert texts == [str(number) for number in range(1, len(stage.neighbours) + 1)]


def test_processes_descriptors_and_memory_are_where_they_were(stage: Stage) -> None:
    for name, value in stage.after.items():
        slack = SLACK_MB if name.endswith(" mb") else 2 if name.endswith("descriptors") else 0
        assert value <= stage.before[name] + slack, (name, stage.before, stage.after)


def test_there_are_at_least_eighty_cases() -> None:
    assert len(UPLOADS) + len(RUNS) >= 80
