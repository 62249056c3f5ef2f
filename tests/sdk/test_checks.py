"""The rules: each broken once, and the whole app passing."""

import ast
import struct
import zlib
from pathlib import Path

import pytest
from caravan.checks import check, check_bytes, check_folder, icon, is_publishable, source
from caravan.checks.runtime_modules import AVAILABLE
from caravan.findings import Finding
from hypothesis import given
from hypothesis import strategies as st

from tests.sdk.bundles import APP, EVALS, ICON, LISTING, MANIFEST, make_bundle, write_folder

ROOT = Path(__file__).parents[2]


def found_in(changes: dict[str, str | bytes | None]) -> list[Finding]:
    return [each for each in check(make_bundle(changes)) if each.level != "pass"]


def one(changes: dict[str, str | bytes | None]) -> Finding:
    [finding] = found_in(changes)
    assert finding.message.endswith(".")
    assert finding.fix
    assert finding.fix.endswith((".", '"'))
    return finding


def test_a_whole_app_passes_every_family() -> None:
    findings = check(make_bundle())
    assert {each.level for each in findings} == {"pass"}
    assert [each.rule for each in findings] == [
        "bundle",
        "manifest",
        "code",
        "actions",
        "permissions",
        "icon",
        "texts",
        "evals",
    ]
    assert is_publishable(findings)


def test_a_refused_bundle_gives_its_refusal(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"caravan.toml": MANIFEST.replace("age = 3", "aeg = 3")})
    findings = check_folder(folder)
    assert [each.rule for each in findings] == ["manifest.missing", "manifest.unknown-key"]
    assert not is_publishable(findings)
    assert [each.rule for each in check_bytes(lambda: b"no zip")] == ["bundle.broken"]


SHOT = """
[[screenshot]]
file = "assets/one.png"
caption = "An echo of a greeting"
"""


def test_screenshots_are_there_with_a_caption_in_every_language_that_has_any() -> None:
    manifest = MANIFEST + SHOT
    there = {"caravan.toml": manifest, "assets/one.png": b"a picture"}
    assert [each.rule for each in check(make_bundle(there))][-1] == "screenshots"
    assert one({"caravan.toml": manifest}).rule == "screenshot.missing"
    two = LISTING + 'captions = ["صدى تحية", "صدى آخر"]\n'
    assert one({**there, "listing/ar.toml": two}).rule == "screenshot.captions"


def test_a_syntax_error_has_its_line() -> None:
    found = one({"helper.py": "x = 1\nif x\n"})
    assert (found.rule, found.file, found.line) == ("code.syntax", "helper.py", 2)


@pytest.mark.parametrize(
    ("text", "rule", "level"),
    [
        ("import requests", "code.import", "error"),
        ("from numpy.linalg import norm", "code.import", "error"),
        ("import ssl", "code.import", "error"),
        ("import socket", "code.import", "warning"),
        ("x = eval('1')", "code.dynamic", "warning"),
    ],
)
def test_what_the_store_does_not_have_is_named_at_its_line(
    text: str, rule: str, level: str
) -> None:
    found = one({"more.py": f"\n{text}\n"})
    assert (found.rule, found.level, found.file, found.line) == (rule, level, "more.py", 2)


@pytest.mark.parametrize(
    "text",
    [
        "import json, urllib.parse",
        "from lib import words",
        "from . import lib",
        "try:\n    import numpy\nexcept ImportError:\n    numpy = None",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy",
        "import re\nre.compile('a')",
    ],
)
def test_what_can_be_imported_passes(text: str) -> None:
    assert found_in({"more.py": text, "lib/__init__.py": "", "lib/words.py": ""}) == []


def test_a_module_may_not_hide_one_of_the_stores() -> None:
    assert "“json”" in one({"json.py": ""}).message


def test_deep_and_long_code_is_refused_and_breaks_nothing() -> None:
    for text in ("a" + ".a" * 40_000, "a" + ".a" * 900, "(" * 1000, "x = 1 # " + "y" * 600_000):
        assert one({"deep.py": text}).rule == "code.syntax"
    many = {f"long{number}.py": "#" + "xy" * 240_000 + str(number) for number in range(9)}
    assert one({**many}).rule == "code.too-long"


def test_an_app_needs_an_entry_an_app_and_an_action() -> None:
    moved = MANIFEST.replace('entry = "app"', 'entry = "main"')
    assert one({"caravan.toml": moved}).rule == "actions.entry"
    rules = [each.rule for each in found_in({"app.py": "x = 1\n", "evals/first.toml": None})]
    assert rules == ["actions.app", "actions.none", "permissions.unused", "evals.none"]


USES = {
    "llm.generate": "ctx.llm.complete('x')",
    "kv.user": "ctx.kv.user.get('x')",
    "kv.app": "ctx.kv.app.incr('x')",
    "ads.show": "ctx.ads.slot(name)",
    "billing.entitlement": "ctx.entitled(name)",
    "user.locale": "print(ctx.user.locale)",
}


@pytest.mark.parametrize("name", USES)
def test_a_permission_that_is_used_must_be_asked_for(name: str) -> None:
    plain = MANIFEST[: MANIFEST.index("[[permission]]")]
    alone = APP.replace("yield from ctx.llm.stream(text)", USES[name].replace("name", "text"))
    [missing] = [
        each
        for each in found_in({"caravan.toml": plain, "app.py": alone})
        if each.rule == "permissions.missing"
    ]
    assert f"“{name}”" in missing.message
    assert missing.line == 12
    asked = f'[[permission]]\nname = "{name}"\nreason = "It is needed here."\n'
    assert found_in({"caravan.toml": plain + asked, "app.py": alone}) == []


def test_a_permission_that_is_not_used_is_a_warning() -> None:
    asked = '[[permission]]\nname = "kv.app"\nreason = "It may be needed."\n'
    found = one({"caravan.toml": MANIFEST + asked})
    assert (found.rule, found.level) == ("permissions.unused", "warning")


def test_slots_and_products_must_be_declared() -> None:
    asked = (
        '[[permission]]\nname = "ads.show"\nreason = "It pays for the app."\n'
        '[[permission]]\nname = "billing.entitlement"\nreason = "Some of it is sold."\n'
    )
    uses = "def use(ctx):\n    ctx.require('pro')\n    return ctx.ads.slot('end')\n"
    changes = {"caravan.toml": MANIFEST + asked, "more.py": uses}
    assert [(each.rule, each.line) for each in found_in({**changes})] == [
        ("permissions.ad-slot", 3),
        ("permissions.product", 2),
    ]
    sold = (
        '[[ad_slot]]\nname = "end"\nformats = ["text"]\n[[product]]\nid = "pro"\n'
        'kind = "one_time"\nname = "Pro"\nprice = "1"\ncurrency = "USD"\n'
    )
    assert found_in({**changes, "caravan.toml": MANIFEST + asked + sold}) == []


def test_texts_and_samples_are_judged() -> None:
    assert one({"evals/first.toml": None}).rule == "evals.none"
    rules = {each.rule for each in found_in({"evals/first.toml": "[[case]]\n"})}
    assert rules == {"evals.missing"}
    assert one({"listing/arabic language.toml": ""}).rule == "texts.locale"
    other = '[[case]]\naction = "sing"\ninput = {}\n'
    assert "“sing”" in one({"evals/more.toml": other}).message
    picks = f'{EVALS}files = {{ notes = "notes/a.md" }}\n'
    assert "evals/notes/a.md" in one({"evals/first.toml": picks}).message
    assert found_in({"evals/first.toml": picks, "evals/notes/a.md": "Tea"}) == []
    rules = {each.rule for each in found_in({"evals/first.toml": picks.replace("notes/", "../")})}
    assert rules == {"evals.value"}
    short = MANIFEST.replace("support", "source").replace("mailto:echo@", "https://")
    assert one({"caravan.toml": short}).rule == "texts.support"


def svg(inner: str = "", box: str = "0 0 64 64", root: str = "") -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" {root}>{inner}</svg>'
    ).encode()


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>",
        '<circle onload="x"/>',
        '<image href="https://example.com/x.png"/>',
        '<use href="https://example.com/x.svg#a"/>',
        '<a href="javascript:x"><path/></a>',
        "<foreignObject/>",
        "<style>@import 'x'</style>",
        '<rect fill="url(https://example.com/x)"/>',
        '<rect style="background:u\\72l(x)"/>',
        '<rect style="fill:url( &quot;//example.com&quot;)"/>',
        '<x:script xmlns:x="http://www.w3.org/1999/xhtml"/>',
        '<g xmlns=""><script/></g>',
        '<set attributeName="href" to="x"/>',
    ],
)
def test_an_icon_that_could_act_is_refused(inner: str) -> None:
    assert one({"assets/icon.svg": svg(inner)}).rule == "icon.unsafe"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (svg(box="0 0 64 32"), "icon.square"),
        (svg(box="a b c d"), "icon.square"),
        (svg(box="0 0 0 0"), "icon.square"),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]>' + svg(), "icon.unsafe"),
        (b'<?xml version="1.0" encoding="cp037"?>' + svg(), "icon.unsafe"),
        (svg().decode().encode("utf-16"), "icon.unsafe"),
        (b"<html/>", "icon.broken"),
        (b"<svg", "icon.broken"),
        (b"\xff", "icon.broken"),
        (svg("<g>" * 5000 + "</g>" * 5000), None),
        (svg(" " * 70_000), "icon.too-large"),
        (svg('<use href="#a"/><rect fill="url(#b)"/>'), None),
    ],
)
def test_an_svg_is_judged(data: bytes, rule: str | None) -> None:
    assert next((problem[0] for problem in icon.svg_problems(data)), None) == rule


def png(width: int = 256, height: int = 256) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (png(), None),
        (png(256, 128), "icon.square"),
        (png(64, 64), "icon.size"),
        (png()[:-1], "icon.broken"),
        (png().replace(b"IDAT", b"IDAX"), "icon.broken"),
        (png() + b"<script>", "icon.broken"),
        (b"GIF89a", "icon.broken"),
        (bytes(icon.MAX_PNG_BYTES + 1), "icon.too-large"),
    ],
)
def test_a_png_is_judged(data: bytes, rule: str | None) -> None:
    assert next((problem[0] for problem in icon.png_problems(data)), None) == rule


def test_a_missing_icon_is_an_error() -> None:
    assert one({"assets/icon.svg": None}).rule == "icon.missing"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_judged_as_icon_and_code_without_breaking(data: bytes) -> None:
    list(icon.svg_problems(data))
    list(icon.png_problems(data))
    source.read({"app.py": data})


@given(cut=st.integers(0, len(APP)), icon_cut=st.integers(0, len(ICON)))
def test_any_part_of_an_app_is_judged(cut: int, icon_cut: int) -> None:
    findings = check(make_bundle({"app.py": APP[:cut], "assets/icon.svg": ICON[:icon_cut]}))
    assert all(each.message for each in findings)


def test_the_table_of_modules_is_what_the_runtime_loads() -> None:
    text = (ROOT / "sdk/runtime/caravan_runtime/stdlib.py").read_text()
    named = [
        name
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
        for name in ast.literal_eval(node.value)
    ]
    tops = {name.split(".")[0] for name in named}
    private = {name for name in tops if name.startswith("_") and name != "__future__"}
    assert AVAILABLE - {"builtins"} == tops - private
