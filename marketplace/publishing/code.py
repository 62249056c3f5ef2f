"""The files of a release as a runner gets them: sources, bytecode and data in one blob."""

from collections.abc import Mapping

import msgpack

from marketplace.catalog.models import Release
from marketplace.infra.blobs import Blobs
from marketplace.kernel.errors import Conflict


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
    files: dict[str, bytes] = msgpack.unpackb(blobs.get(release.code_key))
    return files
