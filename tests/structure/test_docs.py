"""Pages that are made from the code say what the code says."""

from pathlib import Path

from marketplace import settings

ROOT = Path(__file__).parent.parent.parent


def test_the_settings_page_is_current() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings.as_markdown(), (
        "run `marketplace settings`"
    )


def test_every_dependency_has_its_reason() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    chosen = {
        line.partition("==")[0].partition("[")[0].strip()
        for file in ("run.in", "test.in", "engine.in", "train.in")
        if (ROOT / "requirements" / file).exists()
        for line in (ROOT / "requirements" / file).read_text().splitlines()
        if line and not line.startswith(("#", "-"))
    }
    assert sorted(name for name in chosen if f"| {name} |" not in page) == []
