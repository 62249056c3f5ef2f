"""Fetching large files: with progress, resumed after a cut, checked before they are used."""

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path

import httpx

from marketplace.inference.devices import as_memory
from marketplace.inference.gguf_file import MAGIC, NotAModel
from marketplace.kernel.errors import Conflict, Invalid, NotFound, Unavailable

ATTEMPTS = 5
SPARE_DISK_BYTES = 256 << 20
NOT_FOUND, RANGE_NOT_SATISFIABLE, PARTIAL = 404, 416, 206

type_progress = Callable[[int, int | None], None]


class DownloadFailed(Unavailable):
    """A file could not be fetched whole; what came is kept for the next try."""


class NoSuchFile(NotFound):
    """There is nothing at this address."""


class WrongContent(Invalid):
    """A file is not the one that was expected."""


class DiskFull(Conflict):
    """There is not enough room for a file."""


class BadAddress(Invalid):
    """An address is not one that files are fetched from."""


def fetch(
    url: str,
    part: Path,
    progress: type_progress,
    *,
    headers: Mapping[str, str] | None = None,
    pause_s: float = 1.0,
) -> None:
    """Fetch a GGUF into `part`, going on where an earlier call was cut.

    Args:
        progress: called with the bytes there are and the bytes there will be, if known.
        pause_s: wait before the second attempt; it doubles with each that brings nothing.
    Raises: BadAddress, NoSuchFile, DiskFull, NotAModel as soon as the first bytes are no GGUF,
        DownloadFailed after several cuts.
    """
    _refuse_plain(httpx.URL(url))
    failures = 0
    with httpx.Client(
        follow_redirects=True, timeout=httpx.Timeout(30.0), headers=dict(headers or {})
    ) as client:
        while True:
            before = _size(part)
            try:
                _fetch_rest(client, url, part, progress)
            except httpx.TransportError as error:
                failures = 1 if _size(part) > before else failures + 1
                if failures >= ATTEMPTS:
                    raise DownloadFailed(
                        f"{url} could not be fetched: {error}. What came is kept; "
                        "run the same command again to go on from there."
                    ) from error
                time.sleep(pause_s * 2 ** (failures - 1))
            else:
                _validator_file(part).unlink(missing_ok=True)
                return


def check_sha256(file: Path, expected: str | None) -> str:
    """The file's sha256 in hex. Raises: WrongContent when another one is expected."""
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if expected is not None and found != expected.lower():
        raise WrongContent(
            f"The file's sha256 is {found}, but {expected} was expected. It was not added; "
            "check the address and the checksum."
        )
    return found


def check_room(folder: Path, needed_bytes: int) -> None:
    """Raises: DiskFull when a folder has no room for so many bytes and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + SPARE_DISK_BYTES:
        raise DiskFull(
            f"The model needs {as_memory(needed_bytes)}, but only {as_memory(free)} are free "
            f"in {folder}. Make room and run the same command again."
        )


def _fetch_rest(client: httpx.Client, url: str, part: Path, progress: type_progress) -> None:
    have = _size(part)
    validator = _read_validator(part)
    # Without a validator the file behind the address may have changed: begin again.
    resumes = have > 0 and bool(validator)
    request = {"Accept-Encoding": "identity"}
    if resumes:
        request |= {"Range": f"bytes={have}-", "If-Range": validator}
    with client.stream("GET", url, headers=request) as response:
        _refuse_plain(response.url)
        if response.status_code == RANGE_NOT_SATISFIABLE:
            part.unlink()
            raise httpx.ReadError("the server's file is shorter than what was fetched before")
        _refuse_status(response)
        if response.status_code != PARTIAL:
            have = 0
        total = _total(response, have)
        if total is not None:
            check_room(part.parent, total - have)
        _validator_file(part).write_text(_validator(response))
        with part.open("ab" if have else "wb") as out:
            for chunk in response.iter_raw():
                if have == 0 and not chunk.startswith(MAGIC[: len(chunk)]):
                    raise NotAModel(
                        f"{url} is not a GGUF file. Give the address of the .gguf file itself, "
                        "not of its page."
                    )
                out.write(chunk)
                have += len(chunk)
                progress(have, total)


def _refuse_status(response: httpx.Response) -> None:
    if response.status_code == NOT_FOUND:
        raise NoSuchFile(f"There is no file at {response.url}. Check the address.")
    if response.is_server_error:
        raise httpx.ReadError(f"the server answered {response.status_code}")
    if not response.is_success:
        raise BadAddress(
            f"{response.url} answered {response.status_code}. The file may need a licence "
            "accepted on its page, or a token in HF_TOKEN."
        )


def _refuse_plain(url: httpx.URL) -> None:
    if url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host)):
        return
    raise BadAddress(f"{url} is not an https address. Models are fetched over https alone.")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _total(response: httpx.Response, have: int) -> int | None:
    length = response.headers.get("Content-Length")
    return have + int(length) if length and length.isdigit() else None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _validator_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _validator(response: httpx.Response) -> str:
    etag: str = response.headers.get("ETag", "")
    # A weak tag does not promise equal bytes, and RFC 9110 §13.1.5 forbids it in If-Range.
    if etag and not etag.startswith("W/"):
        return etag
    modified: str = response.headers.get("Last-Modified", "")
    return modified


def _read_validator(part: Path) -> str:
    file = _validator_file(part)
    return file.read_text() if file.exists() else ""
