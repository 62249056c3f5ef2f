"""Hostile apps in a whole store: uploaded by a developer, run by people, beside a neighbour."""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from caravan.bundle import pack

from tests.e2e.api import Person
from tests.e2e.lab import Lab, until
from tests.factories.components import make_component
from tests.hostile import web
from tests.hostile.attacks import AMPLE_CPU_MS, ATTACKS, cpu_ms_for
from tests.hostile.further import COMPONENTS, FURTHER, MORE
from tests.hostile.uploads import UPLOADS, files
from tests.hostile.web import REQUESTS

BODIES = {**ATTACKS, **FURTHER}
# Everything that is run → the rules one of which ends it.
RUNS = {
    **{name: rules for name, (_, rules) in BODIES.items()},
    **{name: rules for name, (_, rules) in COMPONENTS.items()},
    **{name: {rule} for name, (_, rule) in REQUESTS.items()},
}
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
# Texts that a page must not take for its own.
SPEAKER = """
    from caravan import Markdown, Table
    yield Markdown("<script>alert(1)</script> [a](javascript:alert(1)) ![b](x)")
    yield "<img src=x onerror=alert(1)>"
    yield Table([["<iframe srcdoc=x>"]], ["<script>alert(2)</script>"])
    import random
    yield str(random.random())
"""
WEB, SPENDER = "hostile.web", "hostile.spender"
ALLOW = (
    "kv.user,files.read,llm.generate,ads.show,billing.meter,net.fetch,net.fetch example.org,"
    "net.fetch *.example.org"
)
ENVIRONMENT = {
    "CARAVAN_PUBLISHING__UPLOADS_A_DAY": "1000",
    "CARAVAN_SANDBOX__CPU_MS": "1000",
    "CARAVAN_SANDBOX__WALL_MS": "8000",
    # The neighbour runs so often that processes would be kept ready for it, and counted.
    "CARAVAN_SANDBOX__MAX_PREPARED": "0",
    "CARAVAN_RUNS__AT_ONCE_PER_PERSON": "10",
    "CARAVAN_RUNS__FORM_WAIT_S": "1",
    "CARAVAN_RUNS__HOUR__EGRESS_REQUESTS": "200",
    "CARAVAN_EGRESS__TIMEOUT_S": "1",
    "PYTHONPATH": str(web.INTERNET),
}
AT_ONCE = 3
# A machine under load must not end a case before its own fault does.
PATIENT_S = 200
WAITING = 15
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

    def upload(self, name: str, data: bytes) -> None:
        """Hand in one case."""
        answer = self.lab.upload(data)
        self.states[name] = answer.json() | {"status": answer.status_code}

    def settle(self, name: str) -> None:
        """Wait until the checks of an upload have ended, and keep what they found."""
        state = self.states[name]

        def is_decided() -> bool:
            state.update(self.lab.asked(state["checks_url"]).json())
            return bool(state["state"] != "checking")

        if state.get("state") == "checking":
            until(is_decided, 120)

    def carry_out(self, person: Person, name: str) -> None:
        """Run one case to its end."""
        began = time.monotonic()
        if name in REQUESTS:
            run = begin(person, WEB, asked=json.dumps(REQUESTS[name][0]))
        else:
            run = begin(person, ident_of(name))
        person.events(run)
        self.spans[name] = (began, time.monotonic())
        self.audits[name] = audit_of(self.lab, run)


def ident_of(name: str) -> str:
    """The id of a case's app."""
    return f"hostile.{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}"[:60]


def source_of(body: str) -> str:
    """The app of a case, by what it does."""

    def late(found: re.Match[str]) -> str:
        names = [name.strip() for name in found[1].split(",")]
        return "; ".join(f"{name} = __import__('{name}')" for name in names)

    body = FROM.sub(r"\2 = __import__('\1', fromlist=['\2']).\2", body)
    lines = IMPORTS.sub(late, body).strip().splitlines()
    return HEAD + "".join(f"    {line}\n" for line in lines)


def bundles() -> dict[str, bytes]:
    """Every case as it is uploaded."""
    made = {name: make(ident_of(name)) for name, (_, make) in UPLOADS.items()}
    for name, (body, rules) in BODIES.items():
        limits = LIMITS.format(wall_s=2 if "sleep" in body else PATIENT_S, cpu_ms=cpu_ms_for(rules))
        source = {"app.py": source_of(body)}
        made[name] = pack(files(ident_of(name), source, limits + MORE.get(name, "")))
    for name, (data, rules) in COMPONENTS.items():
        limits = LIMITS.format(wall_s=PATIENT_S, cpu_ms=cpu_ms_for(rules))
        made[name] = pack(files(ident_of(name), {"component.wasm": data}, limits, kind="component"))
    return made


def upload_all(stage: Stage, come_in: Callable[[str], None]) -> None:
    """Upload every case; each that came in is told at once, so that it runs beside the others."""
    waiting: deque[str] = deque()

    def take_oldest() -> None:
        # Checks are made in the order of the uploads.
        name = waiting.popleft()
        stage.settle(name)
        if name in RUNS and stage.states[name].get("state") == "published":
            come_in(name)

    for name, data in bundles().items():
        stage.upload(name, data)
        waiting.append(name)
        if len(waiting) >= WAITING:
            take_oldest()
    while waiting:
        take_oldest()


def begin(person: Person, ident: str, **values: str) -> str:
    """Run an app without the pages around it, which other tests look at. Returns: its path."""
    answer = start(person, ident, **values)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def start(person: Person, ident: str, **values: str) -> Any:
    """What the store says to somebody who wants to run an app."""
    return person.client.post(
        f"/apps/{ident}/runs",
        data={"csrf_token": person.csrf_token, "-action": "go", "-allow": ALLOW, **values},
        follow_redirects=False,
    )


def audit_of(lab: Lab, run: str) -> list[dict[str, Any]]:
    """The audit log of a run that is over, line by line."""
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


def furnish(stage: Stage) -> None:
    """The good apps, the one that asks for web pages, and a secret for each who runs it."""
    more = LIMITS.format(wall_s=PATIENT_S, cpu_ms=AMPLE_CPU_MS)
    greeting = {"component.wasm": make_component()}
    web_app: Mapping[str, bytes] = files(WEB, {"app.py": web.APP}, web.MANIFEST)
    ready = {
        "neighbour": pack(files("hostile.neighbour", {"app.py": HEAD + NEIGHBOUR}, more)),
        "greeting": pack(files("hostile.greeting", greeting, kind="component")),
        "speaker": pack(files("hostile.speaker", {"app.py": HEAD + SPEAKER}, more)),
        "web": pack(web_app),
        "spender": pack(files(SPENDER, {"app.py": web.APP}, web.MANIFEST)),
    }
    for name, data in ready.items():
        stage.upload(name, data)
    for name in ready:
        stage.settle(name)
    assert {each["state"] for each in stage.states.values()} == {"published"}, stage.states
    for person in stage.people:
        person.events(person.start("hostile.greeting", "go"))
        page = f"/apps/{WEB}/settings"
        assert person.post(page, page, token=web.TOKEN).status_code == 200


@contextmanager
def attacked(folder: Path) -> Iterator[Stage]:
    """A store in which every case has been uploaded, and what came in has been run."""
    with web.open_site() as port:
        lab = Lab.open(folder / "data", HOSTILE_SITE_PORT=str(port), **ENVIRONMENT)
        made = Stage(lab, [lab.person() for _ in range(AT_ONCE + 1)])
        try:
            furnish(made)
            made.before = measures(lab)
            attack(made)
            until(lambda: measures(lab)["runners processes"] <= made.before["runners processes"])
            made.after = measures(lab)
            yield made
        finally:
            for person in made.people:
                person.close()
            lab.close()


def attack(stage: Stage) -> None:
    """Upload and run everything, three at a time, while the neighbour lives on."""
    done = threading.Event()
    free: SimpleQueue[Person] = SimpleQueue()
    for person in stage.people[:-1]:
        free.put(person)

    def one(name: str) -> None:
        person = free.get()
        try:
            stage.carry_out(person, name)
        finally:
            free.put(person)

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        beside = pool.submit(live_beside, stage, stage.people[-1], done)
        going: list[Future[None]] = []
        try:
            going += [pool.submit(one, name) for name in REQUESTS]
            upload_all(stage, lambda name: going.append(pool.submit(one, name)))
            for each in going:
                each.result(400)
        finally:
            done.set()
        beside.result(60)
