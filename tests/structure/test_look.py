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
GALLERY = ROOT / "marketplace" / "templates" / "admin" / "gallery.html"
# Times are marked up where they are put into words.
WORDING = ROOT / "marketplace/web/i18n.py"
MARKUP = "\n".join(page.read_text() for page in (*TEMPLATES, WORDING))


# A tag's attributes and what stands between it and its end.
SCRIPT = re.compile(r"<script([^>]*)>(.*?)</script>", re.DOTALL)


def is_harmless(attributes: str, body: str) -> bool:
    """Whether a script element is a file of ours, or data that Jinja has made safe."""
    if attributes == ' type="application/ld+json"':
        return re.fullmatch(r"\{\{ [a-z_]+\|tojson \}\}", body) is not None
    return re.search(r"\ssrc=", attributes) is not None and not body


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


def test_every_icon_of_the_sprite_is_named_by_a_page_or_by_a_table_of_words() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "img" / "icons.svg").read_text()))
    rooms = [page.read_text() for page in TEMPLATES if page != GALLERY]
    rooms += [
        (ROOT / "marketplace" / "catalog" / name).read_text()
        for name in ("categories.py", "permissions.py")
    ]
    named = set(re.findall(r"[\"']([a-z0-9-]+)[\"']", "\n".join(rooms)))
    assert drawn - named == set()


def test_the_gallery_shows_every_component() -> None:
    """A macro that other pages use has a sample; what begins with a low line is a part of one."""
    macros = {
        name
        for page in (ROOT / "marketplace" / "templates" / "components").glob("*.html")
        for name in re.findall(r"{% macro ([a-z][a-z_]*)\(", page.read_text())
    }
    text = GALLERY.read_text()
    assert macros - set(re.findall(r"(?:{{|{% call|}}) ?([a-z_]+)\(", text)) == set()


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
    assert [tag for tag in SCRIPT.findall(text) if not is_harmless(*tag)] == []


def test_only_linked_data_may_stand_in_a_page() -> None:
    """A browser runs no block of this type; any other one it might."""
    allowed = '<script type="application/ld+json">{{ linked|tojson }}</script>'
    assert is_harmless(*SCRIPT.findall(allowed)[0])
    for refused in (
        "<script>alert(1)</script>",
        '<script type="module">alert(1)</script>',
        '<script nonce="x">alert(1)</script>',
        '<script type="application/ld+json" async>{{ linked|tojson }}</script>',
        '<script type="application/ld+json">{{ linked|safe }}</script>',
        '<script type="application/ld+json">{"name": "{{ name }}"}</script>',
        '<script src="/static/js/index.js">alert(1)</script>',
    ):
        assert not is_harmless(*SCRIPT.findall(refused)[0]), refused
