"""A store whose one app streams a long answer: `python -m benchmarks.support.streaming_store`.

Everything of it is real but what would compute: the engine keeps time (`paced_engine`), and the
app is no WebAssembly but one call of the model, as `ctx.llm.forward()` makes it. So the web
processes do all that they do for a run, and the machine is theirs.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.support.pages import ROOT, process
from marketplace.app import create_app
from marketplace.catalog.models import Release
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Unavailable
from marketplace.runs.models import RunState
from marketplace.sandbox.desk import Desk, Ended
from marketplace.sandbox.ports import (
    HostCalls,
    Job,
    Limits,
    Outcome,
    OutcomeKind,
    Record,
    SandboxStatus,
    forget,
)
from marketplace.settings import Settings
from marketplace.web.auth import TokenScope
from marketplace.web.server import Server
from tests.factories.accounts import make_account, make_session, make_token
from tests.factories.runs import make_run, make_runnable

# More than any measurement lasts, at 20 tokens a second.
TOKENS = 4000
PARAGRAPH = (
    "A caravan moves at the pace of its slowest camel, and **rests** where there is water.\n\n"
)
OUTPUT = [
    {"kind": "text", "text": f"## A long story\n\n{PARAGRAPH * 20}", "is_markdown": True},
    {
        "kind": "table",
        "columns": [{"name": n, "label": n, "type": "text"} for n in ("Day", "Town", "Water")],
        "rows": [[day, "Palmyra", "enough"] for day in range(40)],
    },
    {
        "kind": "chart",
        "type": "line",
        "title": "Distance",
        "x": list(range(30)),
        "series": [{"name": "km", "values": [20 + day % 7 for day in range(30)]}],
    },
]
# One person has all the runs here.
ENVIRONMENT = {
    "CARAVAN_WEB__STREAMS_PER_PERSON": "1000",
    "CARAVAN_RUNS__AT_ONCE": "1000",
    "CARAVAN_RUNS__AT_ONCE_PER_PERSON": "1000",
    "CARAVAN_RUNS__HOUR__WALL_MS": str(10**12),
    "CARAVAN_RUNS__HOUR__LLM_TOKENS": str(10**9),
    "CARAVAN_RUNS__HOUR__OUTPUT_BYTES": str(10**12),
}
ASK = {"messages": [{"role": "user", "content": "Tell me a long story."}], "max_tokens": TOKENS}


class Forwarding:
    """A sandbox in which every app hands its person one long answer of the model."""

    def run(
        self, job: Job, calls: HostCalls, stop: threading.Event, record: Record = forget
    ) -> Outcome:
        """Ask the model, and end with its answer or where a limit ends it."""
        desk = Desk(calls, job.grants, job.limits, record)
        began = time.monotonic()
        frame = {"t": "call", "op": "llm.forward", "payload": json.dumps(ASK)}
        try:
            answer = desk.answer(frame)
        except Ended:
            return Outcome(OutcomeKind.FAILED)
        kind = OutcomeKind.STOPPED if stop.is_set() else OutcomeKind.FINISHED
        if answer["t"] == "refusal":
            kind = OutcomeKind.FAILED
        return Outcome(kind, wall_ms=int((time.monotonic() - began) * 1000), host_calls=1)

    def describe(self, code: Mapping[str, bytes], entry: str, *, limits: Limits) -> dict[str, Any]:
        """Nothing is published here."""
        return self._absent()

    def compile(self, code: Mapping[str, bytes], *, limits: Limits) -> dict[str, bytes]:
        """Nothing is published here."""
        return self._absent()

    def status(self) -> SandboxStatus:
        """Ready for any number."""
        return SandboxStatus(ready=True, runtime="forwarding", max_runners=1000)

    @staticmethod
    def _absent() -> NoReturn:
        raise Unavailable("This store of a benchmark publishes nothing.")


@dataclass(frozen=True)
class Furnished:
    """The app that streams, and somebody who runs it: their cookie, token and a finished run."""

    ident: str
    cookie: str
    token: str
    run: str


def furnish(database: Database, blobs: Blobs) -> Furnished:
    """Add the app, a person, and a run of theirs with everything that a page draws."""
    with database.writing() as session:
        app = make_runnable(session, blobs, permissions=("llm.generate",))
        release = session.get_one(Release, app.current_release_id)
        release.manifest = {**release.manifest, "limits": {"llm_tokens": TOKENS}}
        person = make_account(session)
        run = make_run(
            session, app, person_id=person.id, state=RunState.FINISHED, output=OUTPUT, wall_ms=900
        )
        cookie = make_session(session, person, now=utc_now())
        scopes = (TokenScope.RUN,)
        token = make_token(session, person, scopes=scopes, now=utc_now()).secret
        return Furnished(app.ident, cookie, token, str(run.id))


@contextmanager
def opened(folder: Path, port: int, environment: Mapping[str, str]) -> Iterator[None]:
    """The store over this data folder, with the engine that keeps time."""
    path = Settings(data_dir=folder).socket("engine")
    command = [sys.executable, "-m", "benchmarks.support.paced_engine", str(path)]
    engine = subprocess.Popen(command, cwd=ROOT)
    try:
        with process("-m", "benchmarks.support.streaming_store", port=port, **environment):
            yield
    finally:
        engine.terminate()
        engine.wait()


if __name__ == "__main__":
    settings = Settings()
    Server(settings.web, lambda: create_app(settings, sandbox=Forwarding())).run()
