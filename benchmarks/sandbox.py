"""What the sandbox costs: cold starts, host calls, whole runs over HTTP, memory, and its peers.

Run alone: python benchmarks/sandbox.py [--releases 10,1000]. The last line is one JSON object;
times in milliseconds unless the name says otherwise. `docs/performance-sandbox.md` explains them.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from caravan.bundle import pack  # noqa: E402  (the checkout is put on the path above)

from marketplace.sandbox.client import RunnerClient  # noqa: E402
from marketplace.sandbox.ports import Job, OutcomeKind  # noqa: E402
from tests.e2e.api import Person  # noqa: E402
from tests.e2e.lab import Lab  # noqa: E402
from tests.factories.publishing import manifest_text  # noqa: E402
from tests.factories.sandbox import SMALL, Host, limits, make_job, start_zygote  # noqa: E402
from tests.sdk.bundles import with_changes  # noqa: E402

COLD_RUNS = 200
BUSY_RUNS = 200
HTTP_RUNS = 60
PEER_RUNS = 20
CALLS = 1_000
LIVE = 40
WAITING = 200
PAGES = 60
# Two hundred lines of an app: classes, functions and constants that importing has to carry out.
PADDING = "".join(
    f"class Shape{n}:\n    sides = {n}\n    def area(self, a, b=2):\n        return a * b * {n}\n"
    for n in range(48)
)
ECHO = "yield 'hello'"
ECHO_SOURCE = "import sys\nprint('hello')\n"


def spread(name: str, values: list[float]) -> dict[str, float]:
    """The median and the 99th percentile."""
    return {
        f"{name}_p50": round(median(values), 2),
        f"{name}_p99": round(quantiles(values, n=100)[-1], 2),
    }


def ready(client: RunnerClient) -> None:
    """Wait until a runner is ready, as it is in a store that is not at its limit."""
    while client.status().idle < 1:
        time.sleep(0.001)
    # It warms up before it listens, which the zygote does not see.
    time.sleep(0.02)


def timed_first_output_ms(client: RunnerClient, job: Job, *, is_prepared: bool = False) -> float:
    """One run: from handing it over to the first thing it says.

    Args:
        is_prepared: whether an instance must have been prepared for it.
    """
    first: list[float] = []
    host = Host({"output.write": lambda _: first.append(time.perf_counter())})
    began = time.perf_counter()
    outcome = client.run(job, host, threading.Event())
    assert outcome.kind is OutcomeKind.FINISHED, outcome
    assert outcome.was_prepared or not is_prepared, outcome
    return (first[0] - began) * 1000


def compiled(client: RunnerClient, job: Job) -> Job:
    """The job with its bytecode, as a published release has it."""
    code = {**job.code, **client.compile(job.code, limits=SMALL)}
    return make_job(code=code)


def cold(client: RunnerClient) -> dict[str, float]:
    """A fresh instance with an app of 200 lines, in a ready runner."""
    job = long_job(client)
    times = []
    for _ in range(COLD_RUNS):
        ready(client)
        times.append(timed_first_output_ms(client, job))
    return spread("cold_ms", times) | {"cold_app_lines": job.code["app.py"].count(b"\n")}


def warm(client: RunnerClient) -> dict[str, float]:
    """The same app, hot: an instance that has imported it is ready before each run."""
    job = replace(long_job(client), release="bench")
    while not client.status().prepared:
        client.run(job, Host(), threading.Event())
        time.sleep(0.05)
    times = []
    for _ in range(COLD_RUNS):
        while not client.status().prepared:
            time.sleep(0.001)
        time.sleep(0.02)
        times.append(timed_first_output_ms(client, job, is_prepared=True))
    return spread("warm_ms", times)


def long_job(client: RunnerClient) -> Job:
    """An app of 200 lines that says one word, with its bytecode."""
    source = make_job(ECHO).code["app.py"].decode() + PADDING
    return compiled(client, make_job(code={"app.py": source.encode()}))


def host_calls(client: RunnerClient) -> dict[str, float]:
    """A payload of 100 bytes to the store's side and back, in a thousand calls of one run."""
    at: list[int] = []
    host = Host({"kv.set": lambda _: at.append(time.perf_counter_ns())})
    body = f"for _ in range({CALLS}): ctx.kv.user.set('k', 'x' * 60)\nyield 'done'"
    job = compiled(client, make_job(body))
    wide = make_job(code=job.code, limits=limits(host_calls=CALLS + 10))
    assert client.run(wide, host, threading.Event()).kind is OutcomeKind.FINISHED
    gaps = [(later - earlier) / 1000 for earlier, later in pairwise(at)]
    return {"hostcall_us_p50": round(median(gaps), 1)}


def busy(client: RunnerClient) -> dict[str, float]:
    """Whole runs in a second with every core busy."""
    job = compiled(client, make_job(ECHO))
    cores = os.cpu_count() or 1
    began = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(lambda _: timed_first_output_ms(client, job), range(BUSY_RUNS)))
    return {"runs_per_s": round(BUSY_RUNS / (time.perf_counter() - began), 1)}


def private_mb(pid: int) -> float:
    """Memory that only this process has: clean and dirty, in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kib = [int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")]
    return sum(kib) / 1024


def children(pid: int) -> list[int]:
    """The processes that this one has forked."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found]


def live(client: RunnerClient, zygote: int) -> dict[str, float]:
    """Memory of instances in the middle of a run, while each waits for the store."""
    go_on, arrived = threading.Event(), threading.Barrier(LIVE + 1)

    def wait(_payload: dict[str, Any]) -> None:
        arrived.wait(60)
        go_on.wait(60)

    job = compiled(client, make_job("ctx.kv.user.get('a')\nyield 'x'"))
    with ThreadPoolExecutor(LIVE) as pool:
        runs = [
            pool.submit(client.run, job, Host({"kv.get": wait}), threading.Event())
            for _ in range(LIVE)
        ]
        arrived.wait(60)
        sizes = sorted(private_mb(pid) for pid in children(zygote))[-LIVE:]
        go_on.set()
        assert all(run.result().kind is OutcomeKind.FINISHED for run in runs)
    return {"instance_mb": round(median(sizes), 2)}


def peers() -> dict[str, float | None]:
    """The same echo as a fresh Python process, alone and under bubblewrap."""
    plain = [sys.executable, "-c", ECHO_SOURCE]
    walled = shutil.which("bwrap")
    wrap = [
        str(walled), "--ro-bind", "/", "/", "--unshare-all", "--die-with-parent", "--cap-drop",
        "ALL", "--clearenv",
    ]  # fmt: skip
    figures: dict[str, float | None] = {
        "python_process_ms_p50": timed_process_ms(plain),
        "bubblewrap_ms_p50": timed_process_ms([*wrap, *plain]) if walled else None,
    }
    return figures


def timed_process_ms(command: list[str]) -> float | None:
    """From starting a process to the first byte it says; None where it cannot run here."""
    times = []
    for _ in range(PEER_RUNS):
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as one:
            assert one.stdout is not None
            if not one.stdout.read(1):
                return None
            times.append((time.perf_counter() - began) * 1000)
    return round(median(times), 2)


def timed_run_ms(person: Person, ident: str) -> float:
    """The press of the button to the first words in the stream, receipt written afterwards."""
    page = f"/apps/{ident}"
    token = person.client.get(page).text.partition('name="csrf_token" value="')[2].partition('"')[0]
    began = time.perf_counter()
    answer = person.client.post(
        f"{page}/runs", data={"csrf_token": token, "-action": "go"}, follow_redirects=False
    )
    run = answer.headers["location"]
    first = 0.0
    with person.client.stream("GET", f"{run}/events") as stream:
        for line in stream.iter_lines():
            if line == "event: text" and not first:
                first = (time.perf_counter() - began) * 1000
            if line == "event: done":
                break
    return first


def timed_upload_s(lab: Lab, ident: str) -> float:
    """From sending a bundle of one file to the moment its page can run it."""
    source = make_job(ECHO).code["app.py"]
    files = {
        "caravan.toml": manifest_text(ident=ident, name=ident.rpartition(".")[2].title()),
        "app.py": source,
        "evals/first.toml": None,
    }
    data = pack(with_changes(files))
    began = time.perf_counter()
    release = lab.upload(data).json()["release"]
    while lab.state_of(release) != "published":
        time.sleep(0.02)
    return time.perf_counter() - began


def waiting_apps(lab: Lab, folder: Path) -> dict[str, float]:
    """Two hundred apps that wait, each of a person of its own: memory, and pages meanwhile."""
    lab.publish(folder, "bench.waiting", SLEEPER)
    people = [lab.person() for _ in range(WAITING // 50)]
    zygote = next(pid for pid in lab.store.pids("runners") if children(pid))
    before = sum(private_mb(pid) for pid in [zygote, *lab.store.pids("web")])
    for number in range(WAITING):
        people[number % len(people)].start("bench.waiting", "go")
    while len(children(zygote)) < WAITING:
        time.sleep(0.05)
    pages = []
    for _ in range(PAGES):
        began = time.perf_counter()
        lab.operator.client.get("/").raise_for_status()
        pages.append((time.perf_counter() - began) * 1000)
    after = [zygote, *children(zygote), *lab.store.pids("web")]
    return {
        "waiting_apps": float(len(children(zygote))),
        "waiting_mb": round(sum(private_mb(pid) for pid in after) - before, 1),
        "waiting_page_ms_p95": round(quantiles(pages, n=20)[-1], 1),
    }


SLEEPER = """from caravan import App
import time
app = App()
@app.action("Go")
def go():
    time.sleep(50)
    yield "well"
"""
ECHO_APP = """from caravan import App
app = App()
@app.action("Go")
def go():
    yield "hello"
"""


def in_store(count: int, *, crowded: bool) -> dict[str, Any]:
    """What a person and a developer see of a whole store with `count` apps.

    Args:
        crowded: also let two hundred apps wait at once.
    """
    environment = {
        "CARAVAN_SANDBOX__MAX_RUNNERS": str(WAITING + 10),
        "CARAVAN_RUNS__AT_ONCE": str(WAITING + 10),
        "CARAVAN_RUNS__AT_ONCE_PER_PERSON": "60",
    }
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        lab = Lab.open(data, **environment)
        try:
            lab.publish(Path(folder) / "echo", "bench.echo", ECHO_APP)
            person = lab.person()
            seed(data, count)
            timed_run_ms(person, "bench.echo")
            runs = [timed_run_ms(person, "bench.echo") for _ in range(HTTP_RUNS)]
            figures: dict[str, Any] = {
                **spread("run_overhead_ms", runs),
                "upload_to_live_s": round(timed_upload_s(lab, "bench.new"), 2),
            }
            if crowded:
                figures |= waiting_apps(lab, Path(folder) / "waiting")
            person.close()
        finally:
            lab.close()
    return figures


def seed(data: Path, count: int) -> None:
    """Fill the catalogue up to `count` made-up apps."""
    command = [sys.executable, "-m", "marketplace", "seed", "--apps", str(count)]
    environment = {**os.environ, "CARAVAN_DATA_DIR": str(data)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Measure a zygote alone, then a whole store, then the peers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--releases", default="10,1000", help="sizes of the catalogue")
    asked = parser.parse_args()
    sizes = [int(each) for each in asked.releases.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        process, client = start_zygote(Path(folder), max_runners=LIVE + 4)
        try:
            figures: dict[str, Any] = cold(client) | warm(client)
            figures |= host_calls(client) | busy(client)
            figures |= live(client, process.pid)
        finally:
            process.terminate()
            process.wait()
    figures |= peers() | in_store(sizes[0], crowded=True)
    figures["by_releases"] = {each: in_store(each, crowded=False) for each in sizes[1:]}
    figures["load_average"] = round(os.getloadavg()[0], 1)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
