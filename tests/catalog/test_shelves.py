"""Reads of lists: shelves with filters and orders, and search results."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from marketplace.catalog import search, shelves
from marketplace.catalog.models import App
from marketplace.catalog.pages import Filters, Shelf
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, make_app, make_listed, make_product


def names(shelf: Shelf) -> list[str]:
    return [tile.name for tile in shelf.tiles.items]


def test_a_long_shelf_has_pages(session: Session) -> None:
    owner = make_account(session)
    for number in range(shelves.TILES_A_PAGE + 1):
        make_app(session, owner=owner, score=number)
    first = shelves.shelf(session, Filters(category="fun"), number=1, locale="en").tiles
    second = shelves.shelf(session, Filters(category="fun"), number=2, locale="en").tiles
    assert (len(first.items), first.has_next) == (shelves.TILES_A_PAGE, True)
    assert (len(second.items), second.has_next) == (1, False)
    assert {tile.ident for tile in first.items}.isdisjoint(tile.ident for tile in second.items)


def test_an_unknown_shelf_is_not_there(session: Session) -> None:
    with pytest.raises(shelves.NoSuchShelf):
        shelves.shelf(session, Filters(category="weapons"), number=1, locale="en")


def test_a_list_costs_the_same_few_queries_however_long_it_is(
    session: Session, counted: list[str]
) -> None:
    owner = make_account(session)
    costs = []
    for _round in range(2):
        for _number in range(5):
            make_listed(session, owner=owner)
        session.expunge_all()
        counted.clear()
        shelves.shelf(session, Filters(), number=1, locale="ar")
        costs.append(len(counted))
    assert costs[0] == costs[1] <= 4


@pytest.fixture
def mixed(session: Session) -> dict[str, App]:
    """Three apps that each lead one order."""
    made = {
        "Oud": make_listed(session, name="Oud", score=9.0, published_at=NOON - timedelta(days=9)),
        "Oud Loved": make_listed(
            session,
            name="Oud Loved",
            score=5.0,
            rating_count=4,
            rating_total=19,
            rating_score=4.6,
            published_at=NOON - timedelta(days=5),
        ),
        "Oud New": make_listed(session, name="Oud New", score=1.0, trend=0.5),
    }
    make_product(session, made["Oud"])
    search.index(session, *made.values())
    return made


@pytest.mark.parametrize("query", ["", "oud"])
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(sort="used"), ["Oud", "Oud Loved", "Oud New"]),
        (Filters(sort="rated"), ["Oud Loved"]),
        (Filters(sort="new"), ["Oud New", "Oud Loved", "Oud"]),
        (Filters(sort="trending", price="free"), ["Oud New", "Oud Loved"]),
        (Filters(price="paid"), ["Oud"]),
        (Filters(price="free", rated=True), ["Oud Loved"]),
        (Filters(category="travel"), []),
    ],
)
def test_lists_are_narrowed_and_ordered(
    session: Session, mixed: dict[str, App], query: str, filters: Filters, expected: list[str]
) -> None:
    if query:
        shelf = shelves.found(session, query, filters, number=1, locale="en")
    else:
        shelf = shelves.shelf(session, filters, number=1, locale="en")
    assert names(shelf)[: len(expected)] == expected
    assert shelf.tiles.total == len(expected) or not (filters.price or filters.category)


def test_a_result_says_why_it_stands_where_it_stands(
    session: Session, mixed: dict[str, App]
) -> None:
    mixed["Oud Loved"].people_count = 1200
    found = shelves.found(session, "oud", Filters(), number=1, locale="en")
    whys = {tile.name: tile.why for tile in found.tiles.items}
    assert whys["Oud"] == "This is its name"
    assert whys["Oud Loved"] == "Your words are in its name · 1,200 people use it · rated 4.8"
    [loose] = shelves.found(session, "oud lovde", Filters(), number=1, locale="en").tiles.items
    assert loose.why.startswith("Nearly what you typed")


def test_results_have_pages(session: Session) -> None:
    for number in range(shelves.TILES_A_PAGE + 1):
        make_listed(session, name=f"Cumin {number}")
    pages = [
        shelves.found(session, "cumin", Filters(), number=number, locale="en")
        for number in (1, 2, 3)
    ]
    assert [len(names(page)) for page in pages] == [shelves.TILES_A_PAGE, 1, 0]
    assert not set(names(pages[0])) & set(names(pages[1]))


@pytest.mark.parametrize("query", ["oud", "odu loved", "zzzz"])
def test_a_search_page_takes_four_statements_at_most(
    session: Session, mixed: dict[str, App], counted: list[str], query: str
) -> None:
    session.expunge_all()
    counted.clear()
    shelves.found(session, query, Filters(), number=1, locale="ar")
    assert len(counted) <= 4
