"""The files of a release as a runner gets them: sources, bytecode and data in one blob."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType

import msgpack

from marketplace.catalog.models import Release
from marketplace.infra.blobs import Blobs
from marketplace.kernel.errors import Conflict

MOST_KEPT_BYTES = 64 * 2**20


class _Recent:
    """The files of the releases that ran last; a key is a hash of the content, so none is stale."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[str, Mapping[str, bytes]] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> Mapping[str, bytes] | None:
        with self._lock:
            if key in self._files:
                self._files.move_to_end(key)
            return self._files.get(key)

    def keep(self, key: str, files: Mapping[str, bytes]) -> None:
        with self._lock:
            if key in self._files:
                return
            self._files[key] = files
            self._bytes += sum(map(len, files.values()))
            while self._bytes > MOST_KEPT_BYTES:
                _, oldest = self._files.popitem(last=False)
                self._bytes -= sum(map(len, oldest.values()))


_recent = _Recent()


class NotCompiled(Conflict):
    """The release has not passed its checks, so there is nothing to run."""


def store(blobs: Blobs, files: Mapping[str, bytes]) -> str:
    """Keep the files of a release. Returns: the key for `Release.code_key`."""
    packed: bytes = msgpack.packb({path: files[path] for path in sorted(files)})
    return blobs.put(packed)


def load(blobs: Blobs, release: Release) -> Mapping[str, bytes]:
    """The files of a release by path. Raises: NotCompiled."""
    if release.code_key is None:
        raise NotCompiled("This version has not passed its checks yet.")
    found = _recent.get(release.code_key)
    if found is None:
        # Reading a component of 12 MB for every run would take longer than the run.
        found = MappingProxyType(msgpack.unpackb(blobs.get(release.code_key)))
        _recent.keep(release.code_key, found)
    return found
