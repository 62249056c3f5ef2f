"""Pages of a list: which is the last, and whether one follows."""

import pytest

from marketplace.kernel.paging import Page


@pytest.mark.parametrize(
    ("number", "total", "last", "follows"),
    [
        (1, 0, 1, False),
        (1, 1, 1, False),
        (1, 10, 1, False),
        (1, 11, 2, True),
        (2, 11, 2, False),
        (9, 11, 2, False),
    ],
)
def test_pages_are_counted_from_one(number: int, total: int, last: int, *, follows: bool) -> None:
    page = Page(items=(), number=number, size=10, total=total)
    assert (page.last, page.has_next) == (last, follows)
