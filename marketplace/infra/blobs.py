"""Bytes kept under the hash of their content."""

import hashlib
import os
import tempfile
from pathlib import Path

from marketplace.kernel.errors import NotFound


class BlobNotFound(NotFound):
    """No stored content has this hash."""


class Blobs:
    """A folder of immutable files, each named by the sha256 of what it holds."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, key: str) -> Path:
        """Where the content with this hash lies, whether or not it is there yet."""
        return self._root / key[:2] / key[2:4] / key

    def put(self, data: bytes) -> str:
        """Store the bytes, whole or not at all, and return their sha256 in hexadecimal."""
        key = hashlib.sha256(data).hexdigest()
        target = self.path(key)
        if target.exists():
            return key
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return key

    def delete(self, key: str) -> None:
        """Forget the content with this hash, which may be gone already."""
        self.path(key).unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        """The content with this hash. Raises: BlobNotFound."""
        try:
            return self.path(key).read_bytes()
        except FileNotFoundError:
            raise BlobNotFound(f"There is no stored file {key[:12]}….") from None
