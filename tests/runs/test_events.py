"""The event log: read while it is written, resumed by id, ended by a crash."""

import threading
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from marketplace.kernel.ids import RunId, new_id
from marketplace.runs import events
from marketplace.runs.events import EventLogs
from marketplace.web.sse import Event

RUN = RunId(new_id())


def names(logs: EventLogs, *, after: int = 0) -> list[str]:
    """What a reader sees of a run that is over."""
    seen = logs.follow(RUN, after=after, is_over=lambda: True)
    return [event.name for event in seen if event is not None]


def written(folder: Path, *told: str) -> EventLogs:
    logs = EventLogs(folder)
    writer = logs.open(RUN)
    for name in told:
        writer.write(name, {})
    writer.close()
    return logs


def test_a_reader_sees_every_event_in_order(tmp_path: Path) -> None:
    logs = written(tmp_path, "started", "text", "text", "done")
    assert names(logs) == ["started", "text", "text", "done"]


def test_a_reader_that_comes_back_goes_on_after_what_it_had(tmp_path: Path) -> None:
    logs = written(tmp_path, "started", "text", "done")
    assert names(logs, after=2) == ["done"]


def test_a_reader_waits_for_what_is_not_written_yet(tmp_path: Path) -> None:
    logs = EventLogs(tmp_path)
    writer = logs.open(RUN)
    events = logs.follow(RUN, after=0, is_over=lambda: False)
    seen: list[Event | None] = []
    reader = threading.Thread(target=lambda: seen.extend(events))
    reader.start()
    writer.write("text", {"text": "سلام"})
    writer.write("done", {})
    writer.close()
    reader.join(5)
    assert not reader.is_alive()
    assert [e and (e.id, e.name, e.data) for e in seen] == [
        (1, "text", {"text": "سلام"}),
        (2, "done", {}),
    ]


def test_a_word_wakes_the_readers_of_its_run_alone(tmp_path: Path) -> None:
    logs = EventLogs(tmp_path)
    with closing(logs.open(RUN)) as writer, closing(logs.open(RunId(new_id()))) as other:
        woken = threading.Event()

        def wait() -> None:
            other.wait_beyond(0, 10)
            woken.set()

        reader = threading.Thread(target=wait)
        reader.start()
        writer.write("text", {})
        assert not woken.wait(0.1)
        other.write("text", {})
        assert woken.wait(5)
        reader.join()


def test_a_reader_goes_on_when_the_writer_ends_without_a_word(tmp_path: Path) -> None:
    writer = EventLogs(tmp_path).open(RUN)
    reader = threading.Thread(target=lambda: writer.wait_beyond(0, 60))
    reader.start()
    writer.close()
    reader.join(5)
    assert not reader.is_alive()


def test_a_log_that_another_process_left_is_read_from_its_file(tmp_path: Path) -> None:
    written(tmp_path, "text", "done")
    assert names(EventLogs(tmp_path)) == ["text", "done"]


def test_what_another_process_writes_is_found_as_it_comes(tmp_path: Path) -> None:
    elsewhere, here = EventLogs(tmp_path), EventLogs(tmp_path)
    seen: list[str] = []
    is_read = threading.Semaphore(0)

    def read() -> None:
        for event in here.follow(RUN, after=0, is_over=lambda: False):
            if event is not None:
                seen.append(event.name)
                is_read.release()

    reader = threading.Thread(target=read)
    reader.start()
    with closing(elsewhere.open(RUN)) as writer:
        for name in ("started", "text", "done"):
            writer.write(name, {})
            assert is_read.acquire(timeout=10)
    reader.join(10)
    assert seen == ["started", "text", "done"]


def test_the_more_runs_tell_words_the_longer_each_gathers_them(tmp_path: Path) -> None:
    logs = EventLogs(tmp_path)
    assert logs.gathering_s() == 0
    with ExitStack() as opened:
        for many in range(1, 21):
            writer = opened.enter_context(closing(logs.open(RunId(new_id()))))
            assert writer.gathering_s() == many / events.MOST_PER_S
    assert logs.gathering_s() == 0


def test_a_wish_to_stop_is_seen_by_every_process(tmp_path: Path) -> None:
    logs = EventLogs(tmp_path)
    assert logs.asked_to_stop() == set()
    logs.ask_to_stop(RUN)
    assert EventLogs(tmp_path).asked_to_stop() == {str(RUN)}
    logs.forget(RUN)
    assert logs.asked_to_stop() == set()


def test_a_line_cut_off_by_a_crash_is_skipped_and_the_log_goes_on(tmp_path: Path) -> None:
    logs = written(tmp_path, "text")
    with logs.path(RUN).open("ab") as file:
        file.write(b'[2,"text",{"te')
    writer = logs.open(RUN)
    writer.write("failed", {"message": "The web process ended."})
    writer.write("done", {})
    writer.close()
    assert names(logs) == ["text", "failed", "done"]


def test_ids_never_repeat_after_a_crash(tmp_path: Path) -> None:
    logs = written(tmp_path, "text", "text")
    writer = logs.open(RUN)
    writer.write("done", {})
    writer.close()
    events = logs.follow(RUN, after=0, is_over=lambda: True)
    ids = [event.id for event in events if event is not None]
    assert ids == sorted(set(ids))


def test_a_stream_without_an_end_is_over_when_the_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.02)
    assert names(written(tmp_path, "text")) == ["text"]


def test_old_logs_are_forgotten_and_young_ones_kept(tmp_path: Path) -> None:
    logs = written(tmp_path, "done")
    assert logs.forget_older_than(3600) == 0
    assert logs.forget_older_than(-1) == 1
    assert not logs.path(RUN).exists()
