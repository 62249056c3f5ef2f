"""caravan.toml: what is wrong, in which line, and what to do about it."""

import tomllib

import pytest
from caravan.findings import BundleRefused, Finding
from caravan.manifest import Manifest
from caravan.reading import lines_of, read_listing, read_manifest, read_samples
from hypothesis import given
from hypothesis import strategies as st

from tests.sdk.bundles import MANIFEST


def findings_of(text: str | bytes) -> list[Finding]:
    with pytest.raises(BundleRefused) as caught:
        read_manifest(text)
    return list(caught.value.findings)


def changed(old: str, new: str) -> str:
    assert old in MANIFEST
    return MANIFEST.replace(old, new)


def test_a_whole_manifest_is_read_and_survives_json() -> None:
    manifest = read_manifest(MANIFEST)
    assert manifest.app.id == "tests.echo"
    assert manifest.permissions == {"llm.generate"}
    assert (manifest.limits.llm_tokens, manifest.limits.wall_s) == (2048, None)
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    assert manifest.model_dump()["model"]["json"] is False


def test_a_misspelt_key_names_its_line_and_the_likely_one() -> None:
    found = findings_of(changed("summary =", "sumary ="))
    assert found == [
        Finding(
            "manifest.missing",
            "error",
            "“summary” is missing in [app].",
            "caravan.toml",
            1,
            "summary: One sentence of 10 to 100 characters, for lists.",
        ),
        Finding(
            "manifest.unknown-key",
            "error",
            "“sumary” is not a key in [app].",
            "caravan.toml",
            5,
            "Did you mean “summary”?",
        ),
    ]


@pytest.mark.parametrize(
    ("old", "new", "rule", "words"),
    [
        ('"1.0.0"', '"1.0"', "manifest.value", "“1.0” is not written as it must be"),
        ('"1.0.0"', '"01.0.0"', "manifest.value", "“01.0.0”"),
        ('"1.0.0"', "1", "manifest.type", "“1” must be a text in quotes"),
        ("age = 3", 'age = "3"', "manifest.value", "must be 3, 7, 12, 16 or 18"),
        ('["fun"]', '["fun", "fun"]', "manifest.value", "“fun” is there twice"),
        ('["fun"]', '["food"]', "manifest.value", "“food” must be 'writing'"),
        ('["fun"]', "[]", "manifest.value", "needs at least 1"),
        ('"tests.echo"', '"Echo"', "manifest.value", "“Echo”"),
        ('"python"', '"ruby"', "manifest.value", "must be 'python'"),
        ("mailto:", "javascript:", "manifest.value", "“support” in [app]"),
        ("assets/icon.svg", "../icon.svg", "manifest.value", "“../icon.svg”"),
        ('"llm.generate"', '"llm.everything"', "manifest.value", "“llm.everything”"),
        ("Writes the little more.", "Why", "manifest.value", "fewer than 10"),
        ("age = 3", "age = ", "manifest.syntax", "not readable TOML"),
        ("[runtime]", "[runtme]", "manifest.unknown-key", "“runtme” is not a key"),
    ],
)
def test_every_mistake_has_its_rule_line_and_sentence(
    old: str, new: str, rule: str, words: str
) -> None:
    line = MANIFEST[: MANIFEST.index(old)].count("\n") + 1
    found = findings_of(changed(old, new))
    assert [each for each in found if each.rule == rule and each.line == line], found
    assert any(words in each.message for each in found), found


PRODUCT = """
[[product]]
id = "pro"
kind = "one_time"
name = "Echo Pro"
price = "{}"
currency = "USD"
"""


def test_a_price_is_a_decimal_text_and_becomes_whole_micros() -> None:
    manifest = read_manifest(MANIFEST + PRODUCT.format("4.99"))
    assert manifest.product[0].price_micros == 4_990_000
    for wrong in ("0", "0.00", "-1", "4,99", "1e3", "10000", "1.0001", "٤", "4.", ""):
        [found] = findings_of(MANIFEST + PRODUCT.format(wrong))
        assert (found.line, found.rule) == (29, "manifest.value")


@pytest.mark.fuzz
@given(st.integers(1, 9_999_999))
def test_every_price_of_three_decimals_is_exact(thousandths: int) -> None:
    text = f"{thousandths // 1000}.{thousandths % 1000:03}"
    manifest = read_manifest(MANIFEST + PRODUCT.format(text))
    assert manifest.product[0].price_micros == thousandths * 1000


def test_what_must_differ_is_found_in_every_list() -> None:
    twice = PRODUCT.format("1") * 2
    assert "product id “pro” is there twice" in findings_of(MANIFEST + twice)[0].message
    again = '[[permission]]\nname = "llm.generate"\nreason = "Once more, please."\n'
    assert "name “llm.generate” is there twice" in findings_of(MANIFEST + again)[0].message


def test_lines_are_found_beside_texts_that_look_like_keys() -> None:
    text = 'a = """\n[b]\nc = 1\n"""\n[[d]]\ne = 1\n[[d]]\n"e" = 2\n[f.g]\nh.i = 1\n'
    assert lines_of(text) == {
        (): 1,
        ("a",): 1,
        ("d",): 5,
        ("d", 0): 5,
        ("d", 0, "e"): 6,
        ("d", 1): 7,
        ("d", 1, "e"): 8,
        ("f", "g"): 9,
        ("f", "g", "h"): 10,
    }


def test_a_file_that_is_not_utf8_names_the_line() -> None:
    [found] = findings_of(MANIFEST.replace("Echo", "\xc9cho", 1).encode("latin-1"))
    assert (found.rule, found.line) == ("manifest.encoding", 3)


def test_deep_nesting_is_refused_and_not_walked() -> None:
    [found] = findings_of(MANIFEST + "x = " + "[" * 300 + "]" * 300)
    assert found.rule == "manifest.syntax"


@pytest.mark.fuzz
@given(st.text(max_size=200))
def test_any_text_is_refused_with_sentences_and_never_breaks(text: str) -> None:
    for found in findings_of(text):
        assert (found.level, found.file) == ("error", "caravan.toml")
        assert 1 <= (found.line or 0) <= len(text.splitlines()) + 1


PIECES = st.sampled_from(
    ['"', '"""', "[", "]]", "{", "\n", "=", "-1", "1e999", "0x", "true", "'", "#", "\\", "\0", ".",
     "é", "\u202e"]
) | st.text(max_size=6)  # fmt: skip


@pytest.mark.fuzz
@given(st.lists(st.tuples(st.integers(0, len(MANIFEST)), st.integers(0, 30), PIECES), max_size=4))
def test_a_damaged_manifest_is_read_or_refused_with_sentences(
    damage: list[tuple[int, int, str]],
) -> None:
    text = MANIFEST
    for at, length, piece in damage:
        text = text[:at] + piece + text[at + length :]
    try:
        manifest = read_manifest(text)
    except BundleRefused as refused:
        is_told = all(found.message and found.level == "error" for found in refused.findings)
    else:
        is_told = Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    assert is_told


KEYS = st.sampled_from(["app", "runtime", "permission", "id", "name", "price", "zz", "limits"])


@pytest.mark.fuzz
@given(line=st.tuples(KEYS, st.sampled_from(['"x"', "1", "[]", "[1]", "{}", '{id = "x"}', "true"])))
def test_any_readable_table_is_judged_with_a_line(line: tuple[str, str]) -> None:
    text = f"{line[0]} = {line[1]}\n"
    tomllib.loads(text)
    assert all(found.line == 1 for found in findings_of(text))


def test_samples_and_listings_are_as_strict() -> None:
    samples = read_samples('[[case]]\naction = "a"\ninput = {}\nexpect_contains = "x"\n', "evals/a")
    assert samples.case[0].expect_contains == ["x"]
    with pytest.raises(BundleRefused) as caught:
        read_samples('[[case]]\naction = "a"\nimput = {}\n', "evals/a.toml")
    assert [(each.rule, each.line) for each in caught.value.findings] == [
        ("evals.missing", 1),
        ("evals.unknown-key", 3),
    ]
    with pytest.raises(BundleRefused, match="“description” is missing"):
        read_listing('name = "Sada"\nsummary = "Ten letters here"\n', "listing/ar.toml")
