"""The look keeps its promises: light, complete, and nothing a strict policy would refuse."""

import gzip
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
STATIC = ROOT / "static"
TEMPLATES = sorted(
    page
    for page in (ROOT / "marketplace" / "templates").rglob("*.html")
    if "email" not in page.parts
)
MARKUP = "\n".join(page.read_text() for page in TEMPLATES)


def compressed_bytes(pattern: str) -> int:
    return len(gzip.compress(b"".join(path.read_bytes() for path in STATIC.glob(pattern))))


def test_style_and_behaviour_stay_within_their_budgets() -> None:
    assert compressed_bytes("css/*.css") <= 25_000
    assert compressed_bytes("js/**/*.js") <= 60_000
    assert compressed_bytes("vendor/**/*.js") <= 25_000


def test_every_icon_that_is_named_is_in_the_sprite() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "img" / "icons.svg").read_text()))
    named = set(re.findall(r'\bicon\("([a-z0-9-]+)"', MARKUP))
    named |= set(re.findall(r'\bicon_name="([a-z0-9-]+)"', MARKUP))
    assert named
    assert named <= drawn


def test_every_behaviour_that_is_named_exists() -> None:
    named = {
        name
        for names in re.findall(r'(?:data-controller|controller)="([a-z ]+)"', MARKUP)
        for name in names.split()
    }
    there = {path.name.removesuffix("_controller.js") for path in STATIC.glob("js/controllers/*")}
    assert named == there


@pytest.mark.parametrize("page", TEMPLATES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_no_page_holds_what_the_content_policy_refuses(page: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", page.read_text(), flags=re.DOTALL)
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", text) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)", text) == []
