"""The files of runs: each lies in a folder of its run, and only that run's app may read it."""

import base64
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from marketplace.kernel.errors import Limited
from marketplace.kernel.ids import AccountId, RunId
from marketplace.runs.uploads import Picked
from marketplace.sandbox.ports import Refused
from marketplace.web.i18n import gettext as _

FILE_ID = re.compile(r"[0-9a-f]{32}")
# In base64, so much is well below the 1 MiB that one answer may have.
PIECE_BYTES = 512 * 1024


class TooManyFiles(Limited):
    """What the store still keeps of this person's files leaves no room for more."""


class RunFiles:
    """A folder of files: `<person>/<run>/<file>`, all three ids of our own making.

    No table says whose a file is: a run can name nothing outside its own folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(
        self,
        person_id: AccountId,
        run_id: RunId,
        picked: Iterable[Picked],
        *,
        most_bytes: int,
    ) -> None:
        """Copy the files of one run into its folder, all or none.

        Args:
            most_bytes: how much of one person the store keeps at a time, with these.
        Raises: TooManyFiles.
        Effects: files below the run's folder; `forget_older_than` removes them.
        """
        found = list(picked)
        if not found:
            return
        person = self._root / str(person_id)
        kept = sum(file.stat().st_size for file in person.glob("*/*"))
        if kept + sum(each.value["size_bytes"] for each in found) > most_bytes:
            raise TooManyFiles(
                _(
                    "Your files of the last days leave no room for this one. They are deleted "
                    "after a while; take a smaller file, or come back later."
                ),
                retry_after_s=3600,
                rule="files.full",
            )
        folder = person / str(run_id)
        folder.mkdir(parents=True, mode=0o700)
        try:
            for each in found:
                with (folder / each.value["file"]).open("xb") as file:
                    shutil.copyfileobj(each.stream, file)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def piece(
        self, person_id: AccountId, run_id: RunId, file_id: str, offset: int, length: int
    ) -> tuple[bytes, int]:
        """Some bytes of a run's file, and how many it has in all. Raises: FileNotFoundError."""
        path = self._path(person_id, run_id, file_id)
        size = path.stat().st_size
        with path.open("rb") as file:
            # No disk can seek as far as an app can count.
            file.seek(min(offset, size))
            return file.read(length), size

    def opened(self, person_id: AccountId, run_id: RunId, file_id: str) -> IO[bytes]:
        """A run's file, to be read from its beginning. Raises: FileNotFoundError."""
        return self._path(person_id, run_id, file_id).open("rb")

    def _path(self, person_id: AccountId, run_id: RunId, file_id: str) -> Path:
        return self._root / str(person_id) / str(run_id) / file_id

    def of_person(self, person_id: AccountId) -> Iterator[tuple[str, Path]]:
        """The run and the path of every file of one person that is still here."""
        for path in sorted((self._root / str(person_id)).glob("*/*")):
            yield path.parent.name, path

    def forget_person(self, person_id: AccountId) -> None:
        """Delete every file of one person."""
        shutil.rmtree(self._root / str(person_id), ignore_errors=True)

    def forget_older_than(self, seconds: float) -> int:
        """Delete the files of runs that were started so long ago. Returns: of how many runs.

        Those of a request that died before its run was kept go the same way.
        """
        before = time.time() - seconds
        old = [run for run in self._root.glob("*/*") if run.stat().st_mtime < before]
        for run in old:
            shutil.rmtree(run, ignore_errors=True)
        for person in self._root.glob("*"):
            if not any(person.iterdir()):
                person.rmdir()
        return len(old)


class Reader:
    """The `files.read` operation of one run.

    Args:
        most_bytes: how much the run may read in all, the same bytes twice counting twice.
    """

    def __init__(
        self, files: RunFiles, person_id: AccountId, run_id: RunId, *, most_bytes: int
    ) -> None:
        self._files = files
        self._person_id = person_id
        self._run_id = run_id
        self._left_bytes = most_bytes
        self.operations: dict[str, Callable[[dict[str, Any]], Any]] = {"files.read": self._read}

    def _read(self, payload: dict[str, Any]) -> dict[str, Any]:
        file_id = payload.get("file")
        offset, length = payload.get("offset", 0), payload.get("length", PIECE_BYTES)
        if not _is_count(offset) or not _is_count(length):
            raise Refused("files.range", "`offset` and `length` are whole numbers from 0.")
        if self._left_bytes <= 0:
            raise Refused("limit.file_bytes", "The run has read as much of its files as it may.")
        # The pattern first: no name of a folder reaches the disk.
        if not isinstance(file_id, str) or not FILE_ID.fullmatch(file_id):
            raise _unknown()
        most = min(length, PIECE_BYTES)
        try:
            piece, size = self._files.piece(self._person_id, self._run_id, file_id, offset, most)
        except FileNotFoundError:
            raise _unknown() from None
        self._left_bytes -= len(piece)
        return {"base64": base64.b64encode(piece).decode(), "size_bytes": size}


def _unknown() -> Refused:
    return Refused("files.unknown", "This run was given no such file.")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
