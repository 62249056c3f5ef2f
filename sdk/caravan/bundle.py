"""A release as one file: built the same twice, and opened with every limit checked."""

import hashlib
import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from caravan.component import COMPONENT_FILE
from caravan.findings import BundleRefused
from caravan.manifest import Listing, Manifest
from caravan.reading import MANIFEST_FILE, read_listing, read_manifest

LOCK_FILE = "caravan.lock"
MAX_BUNDLE_BYTES = 10 * 2**20
MAX_UNPACKED_BYTES = 32 * 2**20
MAX_FILES = 500
MAX_PATH_CHARS = 200
MAX_RATIO = 100
# Below this size a high ratio is only a dull file.
RATIO_FROM_BYTES = 2**20
SUFFIXES = frozenset(
    ".py .js .toml .json .txt .csv .tsv .md .svg .png .jpg .jpeg .webp .gguf .typed .lock".split()
)
LICENCES = frozenset({"LICENSE", "LICENCE", "NOTICE"})
LEFT_OUT = frozenset({"__pycache__", "tests", "build", "dist", "venv", "node_modules"})
PATH_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@ -]*(?<![. ])")
LOCALE_FILE = re.compile(r"listing/([a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\.toml")
EPOCH = (1980, 1, 1, 0, 0, 0)
PLAIN_FILE = (stat.S_IFREG | 0o644) << 16
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class Bundle:
    """An opened and verified release.

    Args:
        files: every file but the lock, by path.
        listings: the texts in other languages, by locale.
        sha256: of the whole bundle, in hexadecimal.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    listings: Mapping[str, Listing]
    sha256: str

    @property
    def code(self) -> Mapping[str, bytes]:
        """The Python sources, by path."""
        return {path: data for path, data in self.files.items() if path.endswith(".py")}

    @property
    def icon(self) -> bytes | None:
        """The icon the manifest names."""
        return self.files.get(self.manifest.app.icon)


def build(folder: Path) -> bytes:
    """Make the bundle of an app's folder; equal folders give equal bytes.

    Raises: BundleRefused where the store would refuse the result.
    """
    # Before any other file is read: somebody may stand in a folder that is no app at all.
    if not (folder / MANIFEST_FILE).is_file():
        raise BundleRefused(
            "bundle.manifest",
            f"There is no {MANIFEST_FILE} in {folder}.",
            fix="Go into the app's folder, or make one with `caravan new`.",
        )
    data = pack(dict(_collect(folder)))
    open_bundle(data)
    return data


def pack(files: Mapping[str, bytes]) -> bytes:
    """The deterministic zip of these files and their lock."""
    everything = {**files, LOCK_FILE: lock_of(files)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(everything):
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.create_system = 3
            entry.external_attr = PLAIN_FILE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, everything[path])
    return buffer.getvalue()


def lock_of(files: Mapping[str, bytes]) -> bytes:
    """The lock's text: one line of sha256 and path for every file, sorted by path."""
    lines = [f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files)]
    return "".join(lines).encode()


def _collect(folder: Path) -> Iterator[tuple[str, bytes]]:
    total = 0
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if LEFT_OUT.intersection(parts) or any(part.startswith(".") for part in parts):
            continue
        name = "/".join(parts)
        if path.is_symlink():
            raise BundleRefused(
                "bundle.link", f"{name} is a link.", name, fix="Put the file itself there."
            )
        if path.is_dir() or path.suffix in {".caravan", ".pyc"} or name == LOCK_FILE:
            continue
        total += path.stat().st_size
        if total > MAX_UNPACKED_BYTES:
            raise _too_big_unpacked(name)
        yield name, path.read_bytes()


def open_bundle(data: bytes) -> Bundle:
    """Verify a bundle from anyone and read it. Raises: BundleRefused, and nothing else."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleRefused(
            "bundle.too-large",
            f"The bundle has {len(data)} bytes; {MAX_BUNDLE_BYTES} are the most.",
            fix="Leave out what the app does not need, and make pictures smaller.",
        )
    try:
        files = _unpack(data)
    except UNREADABLE as error:
        raise BundleRefused(
            "bundle.broken",
            f"The bundle is not a whole zip file: {error}.",
            fix="Build it again with `caravan build`.",
        ) from None
    _verify_lock(files)
    manifest_text = files.get(MANIFEST_FILE)
    if manifest_text is None:
        raise BundleRefused("bundle.manifest", f"The bundle has no {MANIFEST_FILE}.")
    del files[LOCK_FILE]
    return Bundle(
        manifest=read_manifest(manifest_text),
        files=files,
        listings={
            match[1]: read_listing(text, path)
            for path, text in files.items()
            if (match := LOCALE_FILE.fullmatch(path))
        },
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _unpack(data: bytes) -> dict[str, bytes]:
    if not data.startswith(b"PK\x03\x04"):
        raise zipfile.BadZipFile("it does not begin like one")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        _check_entries(entries)
        return {entry.filename: _content(archive, entry) for entry in entries}


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """What an entry holds, and never more than it says: `read` alone unpacks up to a GiB first."""
    with archive.open(entry) as file:
        return file.read(entry.file_size + 1)


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    """Everything that can be judged before a byte is unpacked."""
    if len(entries) > MAX_FILES:
        raise BundleRefused(
            "bundle.too-many-files",
            f"The bundle has {len(entries)} files; {MAX_FILES} are the most.",
            fix="Leave out what the app does not need.",
        )
    total = 0
    seen: dict[str, str] = {}
    for entry in entries:
        _check_path(entry)
        _check_kind(entry)
        total += entry.file_size
        if total > MAX_UNPACKED_BYTES:
            raise _too_big_unpacked(entry.filename)
        folded = entry.filename.casefold()
        if folded in seen:
            raise BundleRefused(
                "bundle.duplicate",
                f"“{seen[folded]}” and “{entry.filename}” are the same file on some systems.",
                entry.filename,
                fix="Rename one of them.",
            )
        seen[folded] = entry.filename
    for folded, path in seen.items():
        for parent in map(str, PurePosixPath(folded).parents):
            if parent in seen:
                raise BundleRefused(
                    "bundle.duplicate", f"“{seen[parent]}” is a file and a folder.", path
                )


def _check_path(entry: zipfile.ZipInfo) -> None:
    path = entry.filename
    # zipfile cuts a name at a NUL; what was cut off must not go unseen.
    is_plain = path == entry.orig_filename and len(path) <= MAX_PATH_CHARS
    if not is_plain or not all(PATH_PART.fullmatch(part) for part in path.split("/")):
        raise BundleRefused(
            "bundle.path",
            f"The path {ascii(entry.orig_filename)[:MAX_PATH_CHARS]} is not allowed.",
            fix="Use letters, digits, “_”, “-” and “.”, in folders below the app's own.",
        )


def _check_kind(entry: zipfile.ZipInfo) -> None:
    path = entry.filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        raise BundleRefused(
            "bundle.link", f"{path} is not a plain file.", path, fix="Put the file itself there."
        )
    if entry.flag_bits & 0x1:
        raise BundleRefused(
            "bundle.encrypted", f"{path} is encrypted.", path, fix="Build with `caravan build`."
        )
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise BundleRefused(
            "bundle.compression",
            f"{path} is compressed in a way that stores do not read.",
            path,
            fix="Build with `caravan build`.",
        )
    name = PurePosixPath(path)
    is_allowed = name.suffix in SUFFIXES or name.name in LICENCES or path == COMPONENT_FILE
    if not is_allowed:
        raise BundleRefused(
            "bundle.file-kind",
            f"{path} is of a kind that apps cannot have.",
            path,
            fix=f"Remove it; these are allowed: {' '.join(sorted(SUFFIXES))}.",
        )
    is_large = entry.file_size > RATIO_FROM_BYTES
    if is_large and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        raise BundleRefused(
            "bundle.ratio",
            f"{path} grows more than {MAX_RATIO} times when it is unpacked.",
            path,
            fix="Make such data when the app starts, or leave it out.",
        )


def _too_big_unpacked(path: str) -> BundleRefused:
    return BundleRefused(
        "bundle.unpacked",
        f"Unpacked, the files have more than {MAX_UNPACKED_BYTES} bytes.",
        path,
        fix="Leave out what the app does not need.",
    )


def _verify_lock(files: Mapping[str, bytes]) -> None:
    lock = files.get(LOCK_FILE)
    if lock is None:
        raise BundleRefused(
            "bundle.lock", f"The bundle has no {LOCK_FILE}.", fix="Build with `caravan build`."
        )
    expected = lock_of({path: data for path, data in files.items() if path != LOCK_FILE})
    if lock != expected:
        there, wanted = set(lock.splitlines()), set(expected.splitlines())
        different = min(there ^ wanted, default=b"").decode(errors="replace")[66:]
        raise BundleRefused(
            "bundle.lock",
            f"{LOCK_FILE} does not fit the files.",
            different[:MAX_PATH_CHARS] or LOCK_FILE,
            fix="Build with `caravan build`, and change nothing in the bundle afterwards.",
        )
