"""The memory of one run's app, as its calls reach it."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.runs import kv
from marketplace.runs.grants import Grant
from marketplace.runs.models import NOBODY
from marketplace.sandbox.ports import Refused

Value = TypeVar("Value")


class Memory:
    """The `kv.*` operations of one run."""

    def __init__(self, grant: Grant, database: Database) -> None:
        self._grant = grant
        self._database = database
        self.written_bytes = 0
        self.operations: dict[str, Callable[[dict[str, Any]], Any]] = {
            "kv.get": self._get,
            "kv.set": self._set,
            "kv.delete": self._delete,
            "kv.incr": self._incr,
            "kv.cas": self._swap,
            "kv.keys": self._keys,
        }

    def _shelf(self, payload: dict[str, Any]) -> kv.Shelf:
        person = NOBODY if payload.get("scope") == "app" else self._grant.person_id
        return kv.Shelf(self._grant.app_id, person)

    def _changed(self, change: Callable[[Session], Value]) -> Value:
        try:
            return self._once(change)
        except IntegrityError:
            # Two runs made the same key in the same moment, which no row's lock prevents on
            # PostgreSQL. Now it is there, and the second time its lock is waited for.
            return self._once(change)

    def _once(self, change: Callable[[Session], Value]) -> Value:
        with self._database.writing() as session:
            return change(session)

    def _get(self, payload: dict[str, Any]) -> Any:
        with self._database.reading() as session:
            return kv.get(session, self._shelf(payload), payload.get("key"))

    def _count(self, key: Any, value: Any) -> None:
        text = json.dumps([key, value], ensure_ascii=False)
        size = len(text.encode("utf-8", "surrogatepass"))
        if self.written_bytes + size > self._grant.kv_bytes:
            raise Refused("limit.kv_bytes", "The run has kept as much as one run may.")
        self.written_bytes += size

    def _set(self, payload: dict[str, Any]) -> None:
        shelf, key, value = self._shelf(payload), payload.get("key"), payload.get("value")
        self._count(key, value)
        self._changed(lambda session: kv.put(session, shelf, key, value, now=utc_now()))

    def _delete(self, payload: dict[str, Any]) -> None:
        shelf, key = self._shelf(payload), payload.get("key")
        self._changed(lambda session: kv.delete(session, shelf, key))

    def _incr(self, payload: dict[str, Any]) -> int:
        shelf, key, by = self._shelf(payload), payload.get("key"), payload.get("by", 1)
        self._count(key, by)
        return self._changed(lambda session: kv.increment(session, shelf, key, by, now=utc_now()))

    def _swap(self, payload: dict[str, Any]) -> bool:
        shelf, key = self._shelf(payload), payload.get("key")
        expected, value = payload.get("expected"), payload.get("value")
        self._count(key, value)
        return self._changed(
            lambda session: kv.swap(session, shelf, key, expected, value, now=utc_now())
        )

    def _keys(self, payload: dict[str, Any]) -> list[str]:
        with self._database.reading() as session:
            return kv.keys(session, self._shelf(payload), payload.get("prefix", ""))
