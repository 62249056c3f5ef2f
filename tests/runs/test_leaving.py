"""What a person's runs leave on the disk, and that it goes with them."""

from io import BytesIO

from sqlmodel import select

from marketplace.kernel.ids import AccountId, RunId
from marketplace.runs.leaving import Traces
from marketplace.runs.models import RunState, Timer
from marketplace.runs.uploads import Picked
from tests.factories.accounts import NOON
from tests.factories.runs import Stage

VALUE = {"file": "0" * 32, "name": "a.txt", "media_type": "text/plain", "size_bytes": 5}


def give(here: Stage, person: AccountId, run_id: RunId) -> None:
    here.files.keep(person, run_id, [Picked(VALUE, BytesIO(b"words"))], most_bytes=100)


def test_logs_and_files_go_with_a_person_and_those_of_others_stay(
    here: Stage, empty_database: object
) -> None:
    app = here.app()
    noor, zayd = (AccountId(here.person().id) for _ in range(2))
    runs = {person: RunId(here.perform(app, person_id=person).id) for person in (noor, zayd)}
    for person, run_id in runs.items():
        give(here, person, run_id)
    traces = Traces(here.logs, here.audits, here.files)
    assert [name for name, _path in traces.files(noor)] == [f"files/{runs[noor]}/{'0' * 32}"]
    assert traces.farewell(here.database, noor)
    for person, stays in ((noor, False), (zayd, True)):
        paths = (here.logs.path(runs[person]), here.audits.path(runs[person]))
        assert {path.exists() for path in paths} == {stays}
        assert bool(list(traces.files(person))) is stays


def test_what_still_goes_on_is_stopped_first(here: Stage, empty_database: object) -> None:
    app, noor = here.app(), AccountId(here.person().id)
    run_id = here.queued(app, person_id=noor, state=RunState.RUNNING, executor="another-host")
    given = {"person_id": noor, "app_id": app.id, "action": "go", "every_s": 3600}
    with here.database.writing() as session:
        session.add(Timer(**given, locale="en", next_at=NOON, created_at=NOON))
    traces = Traces(here.logs, here.audits, here.files)
    assert not traces.farewell(here.database, noor)
    assert here.logs.stop_path(run_id).exists()
    with here.database.reading() as session:
        assert session.exec(select(Timer)).all() == []
