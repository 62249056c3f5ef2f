"""Carrying runs out: how each may end, what is left of it, and what a dead process leaves."""

import errno
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select
from structlog.testing import capture_logs

from marketplace.ads.models import Flight, Offer, OfferState
from marketplace.billing.models import LedgerTransaction
from marketplace.inference.fake import FakeInference
from marketplace.inference.ports import EngineGone, Generation, Usage
from marketplace.infra.db import Database, DatabaseBusy
from marketplace.kernel.clock import utc_now
from marketplace.publishing import code
from marketplace.runs import receipts
from marketplace.runs.events import EventWriter
from marketplace.runs.executor import Busy, Executor
from marketplace.runs.models import Run, RunState, Use
from marketplace.runs.settings import RunSettings
from tests.factories.accounts import NOON
from tests.factories.ads import make_flight
from tests.factories.runs import Stage, stage

ASK = "yield 'It said: '\nyield from ctx.llm.stream('hello there')"
GONE = "The language model stopped in the middle of its answer."


@pytest.fixture
def here(empty_database: Database, tmp_path: Path) -> Iterator[Stage]:
    with stage(empty_database, tmp_path) as made:
        yield made


def dying(generation: Generation) -> Iterator[str]:
    """An engine that ends after its first word."""
    yield "Hel"
    raise EngineGone(GONE)


def test_a_run_is_finished_with_its_output_and_its_receipt(here: Stage) -> None:
    run = here.perform(here.app(ASK))
    assert (run.state, run.error_message) == (RunState.FINISHED, None)
    assert run.output == [{"kind": "text", "text": "It said: Hello.", "is_markdown": False}]
    assert (run.model, run.prompt_tokens, run.generated_tokens) == ("Fake", 2, 2)
    assert run.permissions_used == ["llm.generate"]
    assert run.host_calls > 2
    assert run.price_micros == 0


def test_the_receipt_has_the_time_and_the_memory_of_all_answers(
    empty_database: Database, tmp_path: Path
) -> None:
    costs = Usage(queue_ms=1, prefill_ms=20, decode_ms=300, kv_token_ms=4_000_000_000)
    with stage(empty_database, tmp_path, inference=FakeInference(costs=costs)) as here:
        run = here.perform(here.app(f"{ASK}\n{ASK}"))
    times = (run.queue_ms, run.prefill_ms, run.decode_ms)
    assert (*times, run.kv_token_ms) == (2, 40, 600, 8_000_000_000)


def test_its_events_are_written_as_they_happen(here: Stage) -> None:
    run = here.perform(here.app(ASK))
    assert here.events(run.id) == [
        ("started", {}),
        ("text", {"text": "It said: "}),
        ("text", {"text": "Hello"}),
        ("text", {"text": "."}),
        ("done", {}),
    ]


def test_an_app_that_breaks_fails_with_its_error_and_keeps_its_output(here: Stage) -> None:
    run = here.perform(here.app("yield 'so far'\nraise ValueError('no camel')"))
    assert (run.state, run.error_rule) == (RunState.FAILED, "app.error")
    assert "no camel" in (run.error_message or "")
    assert "ValueError" in (run.error_detail or "")
    assert run.output[0]["text"] == "so far"
    assert ("failed", {"message": run.error_message}) in here.events(run.id)


def test_an_engine_that_goes_fails_the_run_with_a_reason(
    empty_database: Database, tmp_path: Path
) -> None:
    inference = FakeInference(dying)  # type: ignore[arg-type]  # an answer that breaks off
    with stage(empty_database, tmp_path, inference=inference) as here:
        run = here.perform(here.app(ASK))
        assert (run.state, run.error_rule, run.error_message) == (RunState.FAILED, "llm.gone", GONE)
        assert run.output[0]["text"] == "It said: Hel"


def test_a_store_without_a_model_says_so(empty_database: Database, tmp_path: Path) -> None:
    why = "No model is loaded; add one with `marketplace models add`."
    with stage(empty_database, tmp_path, inference=FakeInference(why_not=why)) as here:
        run = here.perform(here.app(ASK))
        assert (run.state, run.error_rule) == (RunState.FAILED, "llm.model")
        assert run.error_message == why


def test_an_app_may_go_on_without_the_model(empty_database: Database, tmp_path: Path) -> None:
    body = "try:\n    ctx.llm.complete('hello')\nexcept HostError as e:\n    yield f'No: {e.code}'"
    inference = FakeInference(dying)  # type: ignore[arg-type]  # an answer that breaks off
    with stage(empty_database, tmp_path, inference=inference) as here:
        run = here.perform(here.app(body))
        assert (run.state, run.output[0]["text"]) == (RunState.FINISHED, "No: llm.gone")


def test_a_run_is_stopped_in_the_middle_of_an_answer(here: Stage) -> None:
    assert isinstance(here.inference, FakeInference)
    here.inference.gate.clear()
    run_id = here.queued(here.app(ASK))
    here.executor.start(run_id)
    here.wait(run_id, until="text")
    here.executor.stop(run_id)
    here.wait(run_id)
    run = here.run(run_id)
    assert (run.state, run.error_message) == (RunState.STOPPED, None)
    assert run.output[0]["text"] == "It said: "
    assert here.inference.status().active == 0


def test_another_process_stops_a_run_through_a_file(
    here: Stage, empty_database: Database, tmp_path: Path
) -> None:
    assert isinstance(here.inference, FakeInference)
    here.inference.gate.clear()
    run_id = here.queued(here.app(ASK))
    here.executor.start(run_id)
    here.wait(run_id, until="text")
    with stage(empty_database, tmp_path) as other:
        other.executor.stop(run_id)
        other.wait(run_id)
    assert here.run(run_id).state is RunState.STOPPED
    assert not here.logs.stop_path(run_id).exists()


def with_offer(here: Stage, body: str) -> tuple[RunState, Offer, Flight]:
    """How a run with one advertisement ended, its offer, and the flight it is of."""
    now = utc_now()
    with here.database.writing() as session:
        make_flight(session, starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=1))
    run = here.perform(here.app(body, age=16))
    with here.database.reading() as session:
        offer = session.exec(select(Offer).where(Offer.run_id == run.id)).one()
        return run.state, offer, session.get_one(Flight, offer.flight_id)


def test_an_advertisement_is_reserved_once_for_its_slot(here: Stage) -> None:
    state, offer, flight = with_offer(here, "yield ctx.ads.slot('after-result')\n" * 2)
    assert (state, offer.state) == (RunState.FINISHED, OfferState.RESERVED)
    assert flight.reserved_micros == offer.price_micros > 0


def test_a_failed_run_gives_its_advertisement_back(here: Stage) -> None:
    state, offer, flight = with_offer(here, "yield ctx.ads.slot('after-result')\n1 / 0")
    assert (state, offer.state) == (RunState.FAILED, OfferState.VOID)
    assert (flight.reserved_micros, flight.committed_micros) == (0, 0)


def test_a_run_moves_no_money(here: Stage) -> None:
    here.perform(here.app("1 / 0"))
    with here.database.reading() as session:
        assert session.exec(select(LedgerTransaction)).all() == []


def test_a_release_whose_code_is_gone_fails_with_a_sentence(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another test may have run the same code, which this process then still knows.
    monkeypatch.setattr(code, "_recent", code._Recent())
    app = here.app()
    here.blobs.path(here.release(app).code_key or "").unlink()
    run = here.perform(app)
    assert (run.state, run.error_rule) == (RunState.FAILED, "store.error")
    assert (run.error_message or "").endswith(".")


def test_the_runs_of_a_dead_process_fail_uncharged(
    here: Stage, empty_database: Database, tmp_path: Path
) -> None:
    app = here.app()
    with stage(empty_database, tmp_path) as dead:
        queued, running = dead.queued(app), dead.queued(app, state=RunState.RUNNING)
        here.executor.reap()
        assert here.run(queued).state is RunState.QUEUED
        assert here.run(running).state is RunState.RUNNING
    here.executor.reap()
    for run_id in (queued, running):
        run = here.run(run_id)
        assert (run.state, run.error_rule, run.price_micros) == (
            RunState.FAILED, "store.web-ended", 0,
        )  # fmt: skip
        assert "Nothing was charged" in (run.error_message or "")
        assert [name for name, _ in here.events(run_id)] == ["failed", "done"]


def test_a_dead_processs_advertisement_is_given_back(
    here: Stage, empty_database: Database, tmp_path: Path
) -> None:
    _, offer, _ = with_offer(here, "yield ctx.ads.slot('after-result')")
    with empty_database.writing() as session:
        run = session.get_one(Run, offer.run_id)
        run.state, run.executor = RunState.RUNNING, "oasis-1-dead"
    here.executor._lock_path("oasis-1-dead").touch()
    here.executor.reap()
    with empty_database.reading() as session:
        assert session.get_one(Offer, offer.id).state is OfferState.VOID


def test_the_runs_of_another_host_are_left_alone(here: Stage) -> None:
    run_id = here.queued(here.app(), executor="another-host-1-abc")
    here.executor.reap()
    assert here.run(run_id).state is RunState.QUEUED


def test_a_host_knows_its_runs_under_a_new_name(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "web")
    with stage(empty_database, tmp_path) as before:
        run_id = before.queued(before.app())
    monkeypatch.setattr(socket, "gethostname", lambda: "renamed")
    with stage(empty_database, tmp_path) as after:
        after.executor.reap()
        assert after.run(run_id).error_rule == "store.web-ended"


def test_a_host_takes_no_other_for_itself_because_their_names_begin_alike(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "web-2")
    with stage(empty_database, tmp_path / "second") as second:
        run_id = second.queued(second.app())
        monkeypatch.setattr(socket, "gethostname", lambda: "web")
        with stage(empty_database, tmp_path / "first") as first:
            first.executor.reap()
            assert first.run(run_id).state is RunState.QUEUED


def test_a_run_of_a_host_that_never_comes_back_ends_when_no_run_is_that_old(here: Stage) -> None:
    old = utc_now() - timedelta(hours=3)
    run_id = here.queued(here.app(), executor="another-host-1-abc", created_at=old)
    here.executor.reap()
    assert here.run(run_id).error_rule == "store.web-ended"


def test_a_run_that_gets_no_thread_ends_at_once(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    run_id = here.queued(here.app())
    with monkeypatch.context() as patched, capture_logs():
        patched.setattr(threading.Thread, "start", refuse)
        here.executor.start(run_id)
    run = here.run(run_id)
    assert (run.state, run.error_rule) == (RunState.FAILED, "store.no-thread")
    assert here.executor._going == set()


def test_a_run_whose_end_cannot_be_kept_is_charged_for_what_it_used(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object, **_named: object) -> None:
        raise ValueError("The database refuses what the app wrote.")

    monkeypatch.setattr(receipts.metering, "keep", refuse)
    with capture_logs():
        run = here.perform(here.app(ASK))
    assert run.error_rule == "store.error"
    with here.database.reading() as session:
        used = session.exec(select(Use).where(Use.party_id == run.person_id)).one()
    assert used.llm_tokens > 0


def test_what_an_app_has_kept_in_its_log_counts_in_the_hour(here: Stage) -> None:
    run = here.perform(here.app("ctx.kv.user.set('a', 'x' * 5_000)"))
    with here.database.reading() as session:
        used = session.exec(select(Use).where(Use.party_id == run.person_id)).one()
    assert 5_000 < used.output_bytes < 6_000


def test_a_process_takes_on_only_so_many_runs(empty_database: Database, tmp_path: Path) -> None:
    with stage(empty_database, tmp_path, settings=RunSettings(at_once=1)) as here:
        assert isinstance(here.inference, FakeInference)
        here.inference.gate.clear()
        here.executor.check_room()
        run_id = here.queued(here.app(ASK))
        here.executor.start(run_id)
        here.wait(run_id, until="started")
        with pytest.raises(Busy, match="as many apps as it can"):
            here.executor.check_room()
        here.inference.gate.set()
        here.wait(run_id)
        here.executor.check_room()


def test_a_run_whose_end_could_not_be_noted_is_ended_later(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_given: object, **_named: object) -> None:
        raise DatabaseBusy("The database is busy. Please try again in a moment.")

    run_id = here.queued(here.app())
    with monkeypatch.context() as patched, capture_logs():
        patched.setattr(receipts, "write", busy)
        patched.setattr(Executor, "_fail", busy)
        patched.setattr(Executor, "reap", lambda _self: None)
        here.executor._carry_out(run_id, has_page=True)
        assert here.run(run_id).state is RunState.RUNNING
    here.executor.reap()
    run = here.run(run_id)
    assert (run.state, run.error_rule) == (RunState.FAILED, "store.lost")
    assert [name for name, _ in here.events(run_id)][-2:] == ["failed", "done"]


def test_a_run_that_is_about_to_begin_is_not_taken_for_lost(here: Stage) -> None:
    run_id = here.queued(here.app())
    here.executor.reap()
    assert here.run(run_id).state is RunState.QUEUED


def test_a_run_that_never_began_is_ended_after_a_while(here: Stage) -> None:
    run_id = here.queued(here.app(), created_at=NOON)
    here.executor.reap()
    assert here.run(run_id).error_rule == "store.lost"


def test_a_full_disk_ends_a_run_with_a_sentence(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: EventWriter, _name: str, _data: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run_id = here.queued(here.app())
    with monkeypatch.context() as patched, capture_logs():
        patched.setattr(EventWriter, "write", full)
        here.executor._carry_out(run_id, has_page=True)
    run = here.run(run_id)
    assert (run.state, run.error_rule) == (RunState.FAILED, "store.error")
    assert "Nothing was charged" in (run.error_message or "")


def test_nothing_stays_behind_when_a_run_is_over(here: Stage, tmp_path: Path) -> None:
    run = here.perform(here.app(ASK))
    assert not here.logs.stop_path(run.id).exists()
    left = {path.name for path in (tmp_path / "runs").iterdir()}
    assert left == {f"{run.id}.jsonl", f"{run.id}.audit.jsonl"}


def test_an_error_that_cannot_be_kept_is_kept_mended(here: Stage) -> None:
    run = here.perform(here.app("raise ValueError('no' + chr(0xD800) + chr(0) + 'camel')"))
    assert (run.state, run.error_rule) == (RunState.FAILED, "app.error")
    assert "no\ufffd\ufffdcamel" in (run.error_message or "")
