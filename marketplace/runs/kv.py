"""What apps remember: JSON values under text keys, for one person or for all."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from marketplace.kernel.errors import Invalid
from marketplace.kernel.ids import AppId
from marketplace.runs.keepable import mended
from marketplace.runs.models import KvEntry

MAX_KEY_CHARS = 256
MAX_VALUE_BYTES = 64 * 1024
MAX_TOTAL_BYTES = 1024 * 1024
MAX_KEYS = 1024


class KvRefused(Invalid):
    """A key or value is not one that can be kept."""


@dataclass(frozen=True)
class Shelf:
    """The part of an app's memory that one person's run can reach."""

    app_id: AppId
    person_id: UUID


def _checked_key(key: Any) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_CHARS:
        raise KvRefused("A key is a text of 1 to 256 characters.", rule="kv.key")
    if not key.isprintable():
        raise KvRefused("A key may hold printable characters only.", rule="kv.key")
    return key


def _entry(session: Session, shelf: Shelf, key: str, *, lock: bool = False) -> KvEntry | None:
    wanted = select(KvEntry).where(
        KvEntry.app_id == shelf.app_id, KvEntry.person_id == shelf.person_id, KvEntry.key == key
    )
    return session.exec(wanted.with_for_update() if lock else wanted).first()


def get(session: Session, shelf: Shelf, key: Any) -> Any:
    """The value under `key`, or None."""
    entry = _entry(session, shelf, _checked_key(key))
    return None if entry is None else entry.value


def put(session: Session, shelf: Shelf, key: Any, value: Any, *, now: datetime) -> None:
    """Keep `value` under `key`. Raises: KvRefused when it, or all together, is too large."""
    key = _checked_key(key)
    if mended(value) != value:
        raise KvRefused("A value may hold no NUL and no half of a character.", rule="kv.value")
    size = len(json.dumps(value, ensure_ascii=False).encode()) + len(key.encode())
    if size > MAX_VALUE_BYTES:
        raise KvRefused("A value may have 64 kB at most.", rule="kv.value")
    entry = _entry(session, shelf, key, lock=True)
    count, total = session.exec(
        select(func.count(), func.coalesce(func.sum(KvEntry.value_bytes), 0)).where(
            KvEntry.app_id == shelf.app_id, KvEntry.person_id == shelf.person_id
        )
    ).one()
    known = entry.value_bytes if entry else 0
    if total - known + size > MAX_TOTAL_BYTES or (entry is None and count >= MAX_KEYS):
        raise KvRefused(
            "The app's memory is full: 1 MB and 1,024 keys for each person. Delete some keys.",
            rule="kv.quota",
        )
    if entry is None:
        entry = KvEntry(
            app_id=shelf.app_id,
            person_id=shelf.person_id,
            key=key,
            value=value,
            value_bytes=size,
            changed_at=now,
        )
    entry.value, entry.value_bytes, entry.changed_at = value, size, now
    session.add(entry)


def delete(session: Session, shelf: Shelf, key: Any) -> None:
    """Forget `key`; nothing happens where it is unknown."""
    entry = _entry(session, shelf, _checked_key(key), lock=True)
    if entry is not None:
        session.delete(entry)


def increment(session: Session, shelf: Shelf, key: Any, by: Any, *, now: datetime) -> int:
    """Add to a whole number, counting from 0, and return the new one. Raises: KvRefused."""
    if not isinstance(by, int) or isinstance(by, bool):
        raise KvRefused("A counter changes by a whole number.", rule="kv.value")
    entry = _entry(session, shelf, _checked_key(key), lock=True)
    before = 0 if entry is None else entry.value
    if not isinstance(before, int) or isinstance(before, bool):
        raise KvRefused(f"“{key}” does not hold a whole number.", rule="kv.value")
    put(session, shelf, key, before + by, now=now)
    return before + by


def swap(
    session: Session, shelf: Shelf, key: Any, expected: Any, value: Any, *, now: datetime
) -> bool:
    """Keep `value` under `key` if `expected` is there (None: nothing), and say whether it was.

    Two values are the same when their JSON is: 1 is not true, and the order of keys is nothing.
    """
    entry = _entry(session, shelf, _checked_key(key), lock=True)
    if _canonical(entry.value if entry else None) != _canonical(expected):
        return False
    put(session, shelf, key, value, now=now)
    return True


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def keys(session: Session, shelf: Shelf, prefix: Any) -> list[str]:
    """The keys that start with `prefix`, in order."""
    if not isinstance(prefix, str):
        raise KvRefused("A prefix is a text.", rule="kv.key")
    found = session.exec(
        select(KvEntry.key).where(
            KvEntry.app_id == shelf.app_id,
            KvEntry.person_id == shelf.person_id,
            col(KvEntry.key).startswith(prefix, autoescape=True),
        )
    ).all()
    return sorted(found)
