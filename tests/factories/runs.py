"""Apps that can be run, runs of them, and an executor with fakes for everything outside."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caravan import App as SdkApp
from sqlmodel import Session, select

from marketplace.accounts.models import Account
from marketplace.catalog.models import App, AppState, Release, ReleaseState
from marketplace.inference.fake import FakeInference
from marketplace.inference.ports import Inference
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.infra.egress import Egress, EgressSettings
from marketplace.infra.vault import Vault
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId, RunId, new_id
from marketplace.publishing import code
from marketplace.runs.audit import AuditLogs
from marketplace.runs.events import EventLogs
from marketplace.runs.executor import Executor
from marketplace.runs.files import RunFiles
from marketplace.runs.grants import Grant
from marketplace.runs.models import Run
from marketplace.runs.questions import Questions
from marketplace.runs.settings import RunSettings
from marketplace.runs.starting import Starter
from marketplace.sandbox.fake import FakeSandbox
from marketplace.sandbox.ports import Sandbox
from marketplace.sandbox.settings import SandboxSettings
from tests.factories.accounts import NOON, make_account
from tests.factories.catalog import make_app, make_release, manifest_of
from tests.factories.sandbox import HEAD

VAULT = Vault("the key of a test")
EVERY_PERMISSION = (
    "llm.generate",
    "llm.embed",
    "kv.user",
    "kv.app",
    "ads.show",
    "billing.entitlement",
)
GO = {
    "actions": [
        {
            "name": "go",
            "title": "Go",
            "doc": "Goes.",
            "input_schema": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "maxLength": 20, "x-ui": {"label": "Text"}}
                },
                "required": [],
            },
        }
    ]
}


def make_runnable(
    session: Session,
    blobs: Blobs,
    body: str = "yield 'hello'",
    *,
    permissions: tuple[str, ...] = EVERY_PERMISSION,
    setting: Sequence[Mapping[str, Any]] = (),
    schedule: Sequence[Mapping[str, Any]] = (),
    actions: Mapping[str, Any] = GO,
    **given: Any,
) -> App:
    """A listed app whose action `go` does `body`; it has an ad slot `after-result`."""
    app = make_app(session, state=AppState.LISTED, **given)
    head = HEAD.replace("ctx: Context", "ctx: Context, text: str = ''")
    source = head + "".join(f"    {line}\n" for line in body.strip().splitlines())
    release = make_release(
        session,
        app=app,
        state=ReleaseState.PUBLISHED,
        actions=dict(actions),
        manifest=manifest_of(
            app.ident,
            "1.0.0",
            permission=[{"name": name, "reason": "For tests."} for name in permissions],
            ad_slot=[{"name": "after-result", "formats": ["text"]}],
            setting=[dict(each) for each in setting],
            schedule=[dict(each) for each in schedule],
            limits={"llm_tokens": 64, "wall_s": None},
        ),
        code_key=code.store(blobs, {"app.py": source.encode()}),
    )
    app.current_release_id = release.id
    session.add(app)
    session.flush()  # callers find it by its ident
    return app


def make_run(session: Session, app: App, **given: Any) -> Run:
    """A queued run of an app for somebody; `given` overrides any column."""
    values: dict[str, Any] = {
        "app_id": app.id,
        "release_id": app.current_release_id,
        "person_id": given.get("person_id") or make_account(session).id,
        "action": "go",
        "input": {},
        "state_changed_at": NOON,
        "created_at": NOON,
        **given,
    }
    run = Run(**values)
    session.add(run)
    session.flush()  # callers point at it by its id
    return run


def make_grant(database: Database, **given: Any) -> Grant:
    """A grant of everything for a run that is in no database, of an app that is."""
    with database.writing() as session:
        app = make_app(session)
    values: dict[str, Any] = {
        "run_id": new_id(),
        "app_id": app.id,
        "ident": app.ident,
        "version": "1.0.0",
        "category": app.category,
        "age": app.age,
        "developer_id": app.owner_id,
        "person_id": new_id(),
        "person": "someone",
        "permissions": frozenset(EVERY_PERMISSION),
        "ad_slots": frozenset(),
        "hosts": frozenset(),
        "llm_tokens": 64,
        "hour_tokens": 400,
        "kv_bytes": 1000,
        "egress_requests": 2,
        "locale": "en",
        "seed": 1,
        **given,
    }
    return Grant(**values)


@dataclass
class Stage:
    """Everything one run needs, with an executor of its own."""

    database: Database
    blobs: Blobs
    logs: EventLogs
    audits: AuditLogs
    files: RunFiles
    questions: Questions
    inference: Inference
    executor: Executor
    folder: Path

    @property
    def starter(self) -> Starter:
        """What the views start runs with."""
        return Starter(self.executor, self.files, RunSettings(), VAULT)

    def app(self, body: str = "yield 'hello'", **given: Any) -> App:
        """A runnable app, committed."""
        with self.database.writing() as session:
            return make_runnable(session, self.blobs, body, **given)

    def described(self, source: str, **given: Any) -> App:
        """An app of this source, which describes its own actions; committed."""
        namespace: dict[str, object] = {}
        exec(source, namespace)
        described = namespace["app"]
        assert isinstance(described, SdkApp)
        with self.database.writing() as session:
            app = make_runnable(session, self.blobs, **given)
            release = session.get_one(Release, app.current_release_id)
            release.actions = described.describe()
            release.code_key = code.store(self.blobs, {"app.py": source.encode()})
            return app

    def person(self, **given: Any) -> Account:
        """Somebody, committed."""
        with self.database.writing() as session:
            return make_account(session, **given)

    def queued(self, app: App, **given: Any) -> RunId:
        """A queued run of this executor, committed, not started."""
        with self.database.writing() as session:
            mine = {"executor": self.executor.name, "created_at": utc_now(), **given}
            return make_run(session, app, **mine).id

    def perform(self, app: App, **given: Any) -> Run:
        """Run an app to its end."""
        run_id = self.queued(app, **given)
        self.executor.start(run_id)
        self.wait(run_id)
        return self.run(run_id)

    def wait(self, run_id: RunId, *, until: str = "done") -> None:
        """Until an event of the run's log; for `done`, until its thread is over too."""
        for event in self.logs.follow(run_id, after=0, is_over=lambda: False):
            if event is not None and event.name == until:
                break
        if until == "done":
            for thread in threading.enumerate():
                if thread.name == f"run-{run_id}":
                    thread.join()

    def run(self, run_id: RunId) -> Run:
        """The run as the database has it."""
        with self.database.reading() as session:
            return session.get_one(Run, run_id)

    def events(self, run_id: RunId) -> list[tuple[str, Any]]:
        """Name and data of every event of a run that is over."""
        found = self.logs.follow(run_id, after=0, is_over=lambda: True)
        return [(event.name, event.data) for event in found if event is not None]

    def release(self, app: App) -> Release:
        """The live release of an app."""
        with self.database.reading() as session:
            return session.exec(select(Release).where(Release.app_id == app.id)).one()


@contextmanager
def stage(
    database: Database,
    folder: Path,
    *,
    inference: Inference | None = None,
    sandbox: Sandbox | None = None,
    settings: RunSettings | None = None,
    egress: Egress | None = None,
) -> Iterator[Stage]:
    """A stage over a folder; two stages over one folder are two web processes of one host."""
    blobs, logs = Blobs(folder / "blobs"), EventLogs(folder / "runs")
    audits = AuditLogs(folder / "runs", most_bytes=100_000)
    files, questions = RunFiles(folder / "files"), Questions(folder / "questions")
    inference = inference or FakeInference()
    executor = Executor(
        database=database,
        sandbox=sandbox or FakeSandbox(),
        inference=inference,
        egress=egress or Egress(EgressSettings()),
        blobs=blobs,
        logs=logs,
        audits=audits,
        files=files,
        questions=questions,
        settings=settings or RunSettings(),
        sandbox_settings=SandboxSettings(),
        folder=folder / "executors",
        pseudonym=lambda ident, person_id: f"pseudonym-in-{ident}",
        vault=VAULT,
    )
    try:
        yield Stage(database, blobs, logs, audits, files, questions, inference, executor, folder)
    finally:
        executor.close()


def somebody(account: Account) -> AccountId:
    """The account's id, as services want it."""
    return AccountId(account.id)
