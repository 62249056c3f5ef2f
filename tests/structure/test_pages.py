"""The pages for developers say what the code says."""

import pytest
from caravan.cli.output import Exit

from tools.pages import DOCS, EXITS, pages

PAGES = pages()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_current(path: str) -> None:
    assert (DOCS / path).read_text() == PAGES[path], "Run: .venv/bin/python -m tools.pages"


def test_every_exit_code_is_explained() -> None:
    assert set(EXITS) == {0, *Exit}


def test_the_guide_leads_to_every_page() -> None:
    guide = (DOCS / "writing-an-app.md").read_text()
    assert [path for path in PAGES if f"({path})" not in guide] == []
