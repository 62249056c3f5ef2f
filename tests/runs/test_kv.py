"""What apps remember: separate shelves, quotas, and counters that do not miscount."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from marketplace.infra.db import Database
from marketplace.kernel.ids import AppId, new_id
from marketplace.runs import kv
from marketplace.runs.memory import Memory
from marketplace.runs.models import NOBODY
from tests.factories.catalog import make_app
from tests.factories.runs import make_grant

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def shelf(session: Session) -> kv.Shelf:
    return kv.Shelf(AppId(make_app(session).id), new_id())


@pytest.mark.parametrize("value", [1, "سلام", None, [1, {"a": True}], 0.5, {"deep": [[]]}])
def test_a_value_comes_back_as_it_was_kept(session: Session, shelf: kv.Shelf, value: Any) -> None:
    kv.put(session, shelf, "key", value, now=NOON)
    assert kv.get(session, shelf, "key") == value


def test_what_one_shelf_keeps_no_other_sees(session: Session, shelf: kv.Shelf) -> None:
    kv.put(session, shelf, "key", 1, now=NOON)
    assert kv.get(session, kv.Shelf(shelf.app_id, new_id()), "key") is None
    assert kv.get(session, kv.Shelf(AppId(new_id()), shelf.person_id), "key") is None
    assert kv.get(session, kv.Shelf(shelf.app_id, NOBODY), "key") is None


def test_a_key_kept_again_is_replaced_and_a_deleted_one_is_gone(
    session: Session, shelf: kv.Shelf
) -> None:
    kv.put(session, shelf, "key", 1, now=NOON)
    kv.put(session, shelf, "key", 2, now=NOON)
    assert kv.get(session, shelf, "key") == 2
    kv.delete(session, shelf, "key")
    kv.delete(session, shelf, "never-there")
    assert kv.keys(session, shelf, "") == []


def test_keys_are_found_by_their_beginning_taken_literally(
    session: Session, shelf: kv.Shelf
) -> None:
    for key in ("note:2", "note:1", "n%te", "other"):
        kv.put(session, shelf, key, 0, now=NOON)
    assert kv.keys(session, shelf, "note:") == ["note:1", "note:2"]
    assert kv.keys(session, shelf, "n%") == ["n%te"]


def test_a_counter_starts_at_nothing_and_adds_up(session: Session, shelf: kv.Shelf) -> None:
    assert kv.increment(session, shelf, "runs", 1, now=NOON) == 1
    assert kv.increment(session, shelf, "runs", 41, now=NOON) == 42
    assert kv.get(session, shelf, "runs") == 42


@pytest.mark.parametrize("by", [1.5, True, "1", None])
def test_a_counter_refuses_what_is_not_a_whole_number(
    session: Session, shelf: kv.Shelf, by: Any
) -> None:
    with pytest.raises(kv.KvRefused, match="whole number"):
        kv.increment(session, shelf, "runs", by, now=NOON)


@pytest.mark.parametrize("key", ["", "x" * 257, "nul\0", "line\nbreak", 7, None])
def test_a_key_that_is_not_a_plain_text_is_refused(
    session: Session, shelf: kv.Shelf, key: Any
) -> None:
    with pytest.raises(kv.KvRefused):
        kv.put(session, shelf, key, 1, now=NOON)


def test_a_value_over_its_size_and_a_shelf_over_its_quota_are_refused(
    session: Session, shelf: kv.Shelf
) -> None:
    with pytest.raises(kv.KvRefused, match="64 kB"):
        kv.put(session, shelf, "big", "x" * kv.MAX_VALUE_BYTES, now=NOON)
    piece = "x" * 60_000
    for number in range(17):
        kv.put(session, shelf, f"piece-{number}", piece, now=NOON)
    with pytest.raises(kv.KvRefused, match="full"):
        kv.put(session, shelf, "one-too-many", piece, now=NOON)
    kv.put(session, shelf, "piece-0", "small", now=NOON)
    kv.put(session, shelf, "now-it-fits", "x" * 50_000, now=NOON)


def test_a_key_that_two_runs_make_at_once_is_counted_twice(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = make_grant(empty_database)
    memory, times = Memory(grant, empty_database), []
    real = kv.increment

    def beaten(session: Session, *given: Any, **named: Any) -> int:
        times.append(1)
        if len(times) == 1:
            raise IntegrityError("INSERT", {}, Exception("the other run was first"))
        return real(session, *given, **named)

    monkeypatch.setattr(kv, "increment", beaten)
    assert memory.operations["kv.incr"]({"scope": "user", "key": "a"}) == 1
    assert len(times) == 2
