"""A run's desk over fakes, with what it has written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from marketplace.catalog.models import App
from marketplace.inference.fake import FakeInference
from marketplace.infra.db import Database
from marketplace.infra.egress import Egress, EgressSettings
from marketplace.kernel.ids import AccountId, RunId
from marketplace.runs import events, grants
from marketplace.runs.asking import Asking
from marketplace.runs.events import EventLogs, EventWriter
from marketplace.runs.files import Reader
from marketplace.runs.host_calls import Desk
from marketplace.runs.preferences import Known
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.budgets import Amounts
from marketplace.sandbox.ports import Refused
from tests.factories.runs import Stage, stage

USUAL = RunSettings()
PLENTY = Amounts(**USUAL.hour.model_dump())
OPENED: list[EventWriter] = []
ASKED = {"messages": [{"role": "user", "content": "hello there"}]}


class Counter:
    """A desk for a run of `app`, with what it has written."""

    def __init__(
        self,
        here: Stage,
        app: App,
        person: AccountId | None = None,
        settings: RunSettings = USUAL,
        left: Amounts = PLENTY,
    ) -> None:
        given = {} if person is None else {"person_id": person}
        self.run = here.run(here.queued(app, **given))
        self.logs: EventLogs = here.logs
        self.events: EventWriter = here.logs.open(self.run.id)
        OPENED.append(self.events)
        grant = grants.grant_for(
            self.run,
            app,
            here.release(app),
            settings,
            pseudonym="someone",
            left=left,
            known=Known({"tone": "dry"}),
            withheld=["hunter2"],
        )
        self.desk = Desk(
            grant,
            database=here.database,
            inference=here.inference,
            egress=Egress(EgressSettings()),
            events=self.events,
            files=Reader(here.files, grant.person_id, grant.run_id, most_bytes=1000),
            asking=Asking(grant.run_id, here.questions, self.events, RunSettings(), has_page=False),
        )

    def call(self, op: str, **payload: Any) -> Any:
        return self.desk.call(op, payload)

    def refused(self, op: str, **payload: Any) -> str:
        """The rule a call is refused with; its sentence is a whole one."""
        with pytest.raises(Refused) as refused:
            self.call(op, **payload)
        assert refused.value.message.endswith(".")
        return refused.value.code

    def written(self) -> list[tuple[str, Any]]:
        found = self.logs.follow(RunId(self.run.id), after=0, is_over=lambda: True)
        return [(event.name, event.data) for event in found if event is not None]


@contextmanager
def desks(database: Database, folder: Path) -> Iterator[Stage]:
    """A stage whose model says three words; what its counters have opened is closed after it."""
    model = FakeInference(["one ", "two ", "three"])
    with pytest.MonkeyPatch.context() as patch, stage(database, folder, inference=model) as here:
        # These logs have no end; whoever reads one would wait for it.
        patch.setattr(events, "HEARTBEAT_S", 0.02)
        yield here
    while OPENED:
        OPENED.pop().close()
