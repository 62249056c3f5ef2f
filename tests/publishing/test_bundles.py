"""Hostile and broken uploads: each gets a sentence, a rule and its place; nothing else happens."""

import io
import stat
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from caravan import bundle as sdk
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.kernel.errors import Invalid, TooLarge
from marketplace.publishing import bundles
from tests.factories.publishing import bundle_bytes, manifest_text
from tests.sdk.bundles import APP, with_changes, zip_of

REFUSED = (bundles.BadBundle, bundles.HugeBundle)


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    found.external_attr = mode << 16
    found.compress_type = zipfile.ZIP_DEFLATED
    return found


def claiming(size: int) -> bytes:
    """A zip whose directory says that its one file has `size` bytes."""
    data = bytearray(zip_of([(entry("app.py"), b"x" * 100)]))
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = size.to_bytes(4, "little")
    return bytes(data)


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("data.txt", b"\0" * (20 * 2**20))
    return buffer.getvalue()


def with_line(old: str, new: str) -> bytes:
    text = manifest_text()
    assert old in text
    return sdk.pack(with_changes({"caravan.toml": text.replace(old, new)}))


HOSTILE = {
    "nothing": (b"", "bundle.broken", Invalid),
    "noise": (b"\x89PNG not a zip at all", "bundle.broken", Invalid),
    "half a zip": (bundle_bytes()[:300], "bundle.broken", Invalid),
    "a climbing path": (zip_of([(entry("../../etc/passwd"), b"x")]), "bundle.path", Invalid),
    "an absolute path": (zip_of([(entry("/etc/passwd"), b"x")]), "bundle.path", Invalid),
    "a link": (
        zip_of([(entry("assets/a.txt", stat.S_IFLNK | 0o777), b"/etc/passwd")]),
        "bundle.link",
        Invalid,
    ),
    "a bomb": (bomb(), "bundle.ratio", TooLarge),
    "a claim of 2 GB": (claiming(2 * 10**9), "bundle.ratio", TooLarge),
    "too many files": (
        zip_of([(entry(f"f{n}.txt"), b"") for n in range(501)]),
        "bundle.too-many-files",
        TooLarge,
    ),
    "too many bytes": (b"PK\x03\x04" + b"\0" * (10 * 2**20), "bundle.too-large", TooLarge),
    "a program": (zip_of([(entry("lib.so"), b"\x7fELF")]), "bundle.file-kind", Invalid),
    "an unknown key": (
        with_line("age = 3", 'age = 3\nprize = "gold"'),
        "manifest.unknown-key",
        Invalid,
    ),
    "a wrong type": (with_line("age = 3", 'age = "3"'), "manifest.value", Invalid),
    "no toml": (with_line("[app]", "[app"), "manifest.syntax", Invalid),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_upload_is_refused_with_a_rule_and_a_sentence(name: str) -> None:
    data, rule, family = HOSTILE[name]
    with pytest.raises(family) as caught:
        bundles.opened(data)
    error = caught.value
    assert error.rule == rule
    assert error.message.rstrip("”").endswith((".", "?"))
    assert error.details["findings"][0]["rule"] == rule


def test_a_fault_in_the_manifest_is_told_with_file_and_line() -> None:
    data = with_line("age = 3", 'prize = "gold"\nage = 3')
    line = manifest_text().splitlines().index("age = 3") + 1
    with pytest.raises(Invalid) as caught:
        bundles.opened(data)
    assert f"caravan.toml: “prize” is not a key in [app]. (line {line})" in caught.value.message
    [finding] = caught.value.details["findings"]
    assert (finding["file"], finding["line"]) == ("caravan.toml", line)


def test_every_fault_is_told_at_once() -> None:
    data = with_line("age = 3", 'age = 4\nprize = "gold"')
    with pytest.raises(Invalid) as caught:
        bundles.opened(data)
    assert len(caught.value.details["findings"]) == 2


def test_a_good_bundle_is_opened() -> None:
    opened = bundles.opened(bundle_bytes())
    assert opened.manifest.app.id == "tests.echo"
    assert opened.files["app.py"] == APP.encode()


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 2000), flip=st.integers(1, 255))
def test_one_broken_byte_is_an_answer_and_never_an_accident(at: int, flip: int) -> None:
    data = bytearray(bundle_bytes())
    data[at % len(data)] ^= flip
    with suppress(*REFUSED):
        bundles.opened(bytes(data))


def test_a_file_that_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    with pytest.raises(Invalid):
        bundles.opened(b"noise")
    assert set(tmp_path.rglob("*")) == before
