"""Bundles: built the same twice, opened with every limit, refused with a reason."""

import io
import os
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from caravan import bundle
from caravan.bundle import build, open_bundle, pack
from caravan.findings import BundleRefused
from hypothesis import given
from hypothesis import strategies as st

from tests.sdk.bundles import make_bundle, with_changes, write_folder, zip_of


def refusal_of(data: bytes) -> BundleRefused:
    with pytest.raises(BundleRefused) as caught:
        open_bundle(data)
    assert caught.value.message.endswith((".", "?"))
    return caught.value


def entry(path: str, *, mode: int = stat.S_IFREG | 0o644, flags: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path)
    info.external_attr = mode << 16
    info.flag_bits = flags
    return info


def test_two_builds_of_one_folder_are_equal_bytes(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "echo")
    first = build(folder)
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    (folder / "app.py").chmod(0o600)
    assert build(folder) == first


def test_a_bundle_opens_as_what_was_put_in() -> None:
    opened = make_bundle()
    assert opened.manifest.app.id == "tests.echo"
    assert opened.manifest.bundle_name == "tests.echo-1.0.0.caravan"
    assert opened.listings["ar"].name == "صدى"
    assert set(opened.code) == {"app.py"}
    assert opened.icon == with_changes({})["assets/icon.svg"]
    assert bundle.LOCK_FILE not in opened.files


def test_what_is_not_part_of_the_app_is_left_out(tmp_path: Path) -> None:
    dull = ("tests/test_app.py", ".git/config", "__pycache__/app.pyc", "a.pyc", "old.caravan")
    folder = write_folder(tmp_path / "echo", dict.fromkeys(dull, "left out"))
    assert set(open_bundle(build(folder)).files) == set(with_changes({}))


def test_a_link_in_the_folder_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "echo")
    (folder / "secret.txt").symlink_to("/etc/passwd")
    with pytest.raises(BundleRefused, match="is a link") as caught:
        build(folder)
    assert caught.value.rule == "bundle.link"


def test_a_folder_without_a_manifest_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match=r"There is no caravan\.toml") as caught:
        build(tmp_path)
    assert "caravan new" in (caught.value.findings[0].fix or "")


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "a/../../app.py",
        "/etc/app.py",
        "C:/app.py",
        "a\\b.py",
        "./app.py",
        "a//b.py",
        ".hidden.py",
        "café.py",
        "a\nb.py",
        "folder/",
        "dot./app.py",
        "x" * 198 + ".py",
    ],
)
def test_a_path_that_could_leave_its_folder_is_refused(path: str) -> None:
    assert refusal_of(zip_of([(entry(path), b"")])).rule == "bundle.path"


def test_a_name_hidden_behind_a_nul_is_refused() -> None:
    data = zip_of([(entry("app.pyXhidden"), b"")]).replace(b"app.pyX", b"app.py\0")
    assert refusal_of(data).rule in {"bundle.path", "bundle.broken"}


def test_a_name_that_is_not_utf8_is_refused() -> None:
    data = zip_of([(entry("caf\u00e9.py"), b"")]).replace("é".encode(), b"\xff\xfe")
    assert refusal_of(data).rule == "bundle.broken"


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR])
def test_only_plain_files_are_taken(mode: int) -> None:
    assert refusal_of(zip_of([(entry("app.py", mode=mode), b"x")])).rule == "bundle.link"


def test_an_encrypted_file_is_refused() -> None:
    data = bytearray(zip_of([(entry("app.py"), b"x")]))
    at = data.index(b"PK\x01\x02") + 8
    data[at] |= 1
    assert refusal_of(bytes(data)).rule == "bundle.encrypted"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused() -> None:
    twice = [(entry("app.py"), b"a"), (entry("app.py"), b"b")]
    folded = [(entry("app.py"), b"a"), (entry("App.py"), b"b")]
    parent = [(entry("a.py"), b""), (entry("a.py/b.py"), b"")]
    for entries in (twice, folded, parent):
        assert refusal_of(zip_of(entries)).rule == "bundle.duplicate"


def test_too_many_files_are_refused() -> None:
    many = [(entry(f"f{number}.py"), b"") for number in range(bundle.MAX_FILES + 1)]
    assert refusal_of(zip_of(many)).rule == "bundle.too-many-files"


def test_a_bundle_over_its_size_is_refused_unread() -> None:
    assert refusal_of(b"PK\x03\x04" + bytes(bundle.MAX_BUNDLE_BYTES)).rule == "bundle.too-large"


def test_a_claim_of_two_gigabytes_is_refused_before_unpacking() -> None:
    data = bytearray(zip_of([(entry("app.py"), b"x")]))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 2**31)
    assert refusal_of(bytes(data)).rule == "bundle.ratio"


def test_a_file_that_is_longer_than_it_claims_is_refused() -> None:
    data = bytearray(pack({"a.txt": b"salam " * 100}))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 12)
    assert refusal_of(bytes(data)).rule == "bundle.broken"


def test_a_file_that_says_it_is_short_is_unpacked_no_further() -> None:
    data = bytearray(pack({"a.txt": bytes(2**25)}))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 10)
    tracemalloc.start()
    try:
        assert refusal_of(bytes(data)).rule == "bundle.broken"
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_a_bomb_is_refused_by_its_ratio_and_by_its_sum() -> None:
    assert refusal_of(pack({"zeros.txt": bytes(2**21)})).rule == "bundle.ratio"
    dull = b"".join(bytes([number % 251]) * 50 for number in range(20_000))
    many = {f"dull{number}.txt": dull for number in range(34)}
    assert refusal_of(pack(many)).rule == "bundle.unpacked"


def test_other_compressions_are_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(entry("app.py"), b"x", zipfile.ZIP_BZIP2)
    assert refusal_of(buffer.getvalue()).rule == "bundle.compression"


@pytest.mark.parametrize("path", ["lib.so", "app.pyc", "page.html", "app.wasm", "run"])
def test_code_for_a_machine_or_a_browser_is_refused(path: str) -> None:
    assert refusal_of(pack(with_changes({path: b"x"}))).rule == "bundle.file-kind"


def test_a_file_that_differs_from_the_lock_is_refused_by_name() -> None:
    files = with_changes({})
    lock = bundle.lock_of(files)
    entries = [(entry(path), data) for path, data in files.items() if path != "app.py"]
    forged = [*entries, (entry("app.py"), b"other"), (entry(bundle.LOCK_FILE), lock)]
    refused = refusal_of(zip_of(forged))
    assert (refused.rule, refused.file) == ("bundle.lock", "app.py")
    assert refusal_of(zip_of(entries)).rule == "bundle.lock"
    extra = [*[(entry(p), d) for p, d in files.items()], (entry("more.py"), b"")]
    assert refusal_of(zip_of([*extra, (entry(bundle.LOCK_FILE), lock)])).file == "more.py"


def test_a_bundle_without_a_manifest_is_refused() -> None:
    assert refusal_of(pack({"app.py": b""})).rule == "bundle.manifest"


def test_a_wrong_listing_is_refused_with_its_line() -> None:
    refused = refusal_of(pack(with_changes({"listing/ar.toml": 'name = "صدى"\nsumary = "x"\n'})))
    assert (refused.file, {each.rule for each in refused.findings}) == (
        "listing/ar.toml",
        {"listing.missing", "listing.unknown-key"},
    )


@pytest.mark.fuzz
@given(data=st.binary(max_size=300))
def test_any_bytes_are_opened_or_refused_and_nothing_else(data: bytes) -> None:
    with pytest.raises(BundleRefused):
        open_bundle(data)


WHOLE = pack(with_changes({}))


@pytest.mark.fuzz
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=6
    ),
    cut=st.none() | st.integers(0, len(WHOLE)),
)
def test_a_damaged_bundle_is_the_same_or_refused(
    edits: list[tuple[int, int]], cut: int | None
) -> None:
    damaged = bytearray(WHOLE)
    for at, byte in edits:
        damaged[at] = byte
    try:
        found = open_bundle(bytes(damaged[:cut])).files
    except BundleRefused:
        return
    assert found == with_changes({})


PATHS = st.from_regex(r"[a-z]{1,6}(/[a-z]{1,6}){0,2}\.(py|json|txt)", fullmatch=True)


@pytest.mark.fuzz
@given(extra=st.dictionaries(PATHS, st.binary(max_size=200), max_size=6))
def test_what_is_packed_is_what_is_opened(extra: dict[str, bytes]) -> None:
    files = with_changes(dict(extra))
    assert open_bundle(pack(files)).files == files
    assert pack(dict(reversed(files.items()))) == pack(files)


def test_a_folder_that_is_no_app_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(BundleRefused, match=r"There is no caravan\.toml") as caught:
        build(tmp_path)
    assert caught.value.rule == "bundle.manifest"
