"""Whose request is prepared next: apps take turns, so none waits for another's flood. Pure."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Lines(Generic[T]):
    """A line for every app that has something in it; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, dict[Hashable, T]] = OrderedDict()
        self._app_of: dict[Hashable, str] = {}
        self._lock = Lock()

    def put(self, app: str, key: Hashable, item: T, *, most: int) -> bool:
        """Add to the end of an app's line. Returns: whether it had room, with `most` in it."""
        with self._lock:
            if len(self._lines.get(app, ())) >= most:
                return False
            self._lines.setdefault(app, {})[key] = item
            self._app_of[key] = app
            return True

    def take(self) -> tuple[Hashable, T] | None:
        """The first of the app whose turn is the longest ago, or None when nothing waits."""
        with self._lock:
            if not self._lines:
                return None
            app, line = self._lines.popitem(last=False)
            key = next(iter(line))
            del self._app_of[key]
            item = line.pop(key)
            if line:
                self._lines[app] = line
            return key, item

    def pull(self, key: Hashable) -> T | None:
        """Take out of turn what is known by a key, if it still waits."""
        with self._lock:
            app = self._app_of.pop(key, None)
            if app is None:
                return None
            item = self._lines[app].pop(key)
            if not self._lines[app]:
                del self._lines[app]
            return item
