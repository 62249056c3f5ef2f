"""Search: the same promises on SQLite and on PostgreSQL, in English and in Arabic."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlmodel import Session

from marketplace.catalog import matching, search, search_tables
from marketplace.catalog.models import App, AppState, ListingText
from tests.factories.catalog import found_by, make_listed, make_product


@pytest.fixture
def shelf(session: Session) -> dict[str, App]:
    """Five apps, one of them with Arabic texts."""
    made = {
        name: make_listed(session, name=name, summary=summary)
        for name, summary in {
            "Phrasebook": "Words for a journey, spoken and written.",
            "Copywriter": "Turns facts into a headline.",
            "Helpdesk": "Answers customers politely.",
            "Headline Doctor": "Mends tired sentences.",
            "Café Menü": "Plans a menu.",
        }.items()
    }
    session.add(
        ListingText(
            app_id=made["Phrasebook"].id,
            locale="ar",
            name="كِتابُ العِبارات",
            summary="عبارات للسفر في إسطنبول وأماكن أخرى.",
            description="مدرسة صغيرة للغات.",
        )
    )
    search.index(session, made["Phrasebook"])
    return made


def names(session: Session, shelf: dict[str, App], query: str) -> list[str]:
    by_id = {app.id: name for name, app in shelf.items()}
    return [by_id[found] for found in found_by(session, query)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("phrasebook", "Phrasebook"),
        ("PHRASE", "Phrasebook"),
        ("journey", "Phrasebook"),
        ("cafe menu", "Café Menü"),
        ("kustomer help", "Helpdesk"),
        ("helpdsk", "Helpdesk"),
        ("phrasbook", "Phrasebook"),
        ("copywritter", "Copywriter"),
        ("كتاب العبارات", "Phrasebook"),
        ("كتـــاب", "Phrasebook"),
        ("اسطنبول", "Phrasebook"),
        ("مدرسه", "Phrasebook"),
        ("عبارات", "Phrasebook"),
        ("العباراث", "Phrasebook"),
        ("phrasb", "Phrasebook"),
        ("hepl", "Helpdesk"),
        ("zzzz", None),
        ("summarise my headline please", "Headline Doctor"),
    ],
)
def test_a_query_finds_what_a_person_means(
    session: Session, shelf: dict[str, App], query: str, expected: str | None
) -> None:
    found = names(session, shelf, query)
    assert found[:1] == ([expected] if expected else [])


def test_an_exact_name_comes_before_more_frequent_words(
    session: Session, shelf: dict[str, App]
) -> None:
    exact = make_listed(session, name="Headline", summary="Short.")
    shelf["Headline"] = exact
    found = names(session, shelf, "headline")
    assert found[0] == "Headline"
    assert set(found) == {"Headline", "Copywriter", "Headline Doctor"}


def test_an_exact_name_counts_in_every_language(session: Session, shelf: dict[str, App]) -> None:
    other = make_listed(session, name="كتاب العبارات الكبير كتاب العبارات")
    shelf["Other"] = other
    assert names(session, shelf, "كتاب العبارات")[0] == "Phrasebook"


def test_names_weigh_more_than_texts(session: Session, shelf: dict[str, App]) -> None:
    assert names(session, shelf, "head") == ["Headline Doctor", "Copywriter"]


@pytest.mark.parametrize("state", [AppState.HIDDEN, AppState.BLOCKED])
def test_an_app_that_is_not_listed_leaves_the_index(
    session: Session, shelf: dict[str, App], state: AppState
) -> None:
    row = shelf["Helpdesk"].search_row
    shelf["Helpdesk"].state = state
    search.index(session, shelf["Helpdesk"])
    assert shelf["Helpdesk"].search_row is None
    assert row not in {hit.row for hit in search.find(session, "helpdesk").hits}


def test_new_texts_take_the_place_of_old_ones(session: Session, shelf: dict[str, App]) -> None:
    shelf["Helpdesk"].name = "Concierge"
    search.index(session, shelf["Helpdesk"])
    assert names(session, shelf, "helpdesk") == []
    assert names(session, shelf, "concierge") == ["Helpdesk"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "…",
        '"',
        "'; DROP TABLE catalog_app; --",
        "a OR b NOT (",
        "NEAR(",
        "*",
        "a & | !",
        "name:phrase",
        "x" * 10_000,
        "one two " * 1250,
        "\"'(*)-+:^&|!<>~" * 50,
        "\u064b\u064e\u0651" * 100,
        "\u202e\u2066" * 100,
        "👩‍👩‍👧🏽🇸🇦" * 200,
        "\x00",
        "😀",
        "ـ",
        "%_",
    ],
)
def test_any_query_is_answered(session: Session, shelf: dict[str, App], query: str) -> None:
    assert isinstance(search.find(session, query).hits, list)
    assert names(session, shelf, "phrasebook") == ["Phrasebook"]


@given(st.text(max_size=80))
@example("\N{MATHEMATICAL BOLD ITALIC CAPITAL A}")  # a capital only once it is taken apart
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = matching.normalised(text)
    assert matching.normalised(once) == once


@given(st.text(alphabet="كتبعلمدرسةأإآاىيو", min_size=1, max_size=12), st.randoms())
def test_vowel_signs_and_stretching_do_not_matter(word: str, random: object) -> None:
    written = "".join(letter + "\u064e\u0651\u0640" for letter in word)
    assert matching.normalised(written) == matching.normalised(word)


def test_composed_and_decomposed_letters_are_the_same() -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert matching.normalised(unicodedata.normalize(form, "Café إدارة")) == "cafe اداره"


def test_what_more_people_use_comes_first_where_the_words_are_equal(session: Session) -> None:
    shelf = {
        name: make_listed(session, name=name, score=score)
        for name, score in {"Quill One": 2.0, "Quill Two": 9.0, "Quill Three": 5.0}.items()
    }
    assert names(session, shelf, "quill") == ["Quill Two", "Quill Three", "Quill One"]


def test_much_used_beats_slightly_better_words_but_never_the_name_itself(session: Session) -> None:
    shelf = {
        "Harbour": make_listed(session, name="Harbour", score=1.0),
        "Harbour Lights": make_listed(session, name="Harbour Lights", score=1.0),
        "Quay": make_listed(session, name="Quay", summary="A harbour for texts.", score=9.0),
    }
    assert names(session, shelf, "harbour") == ["Harbour", "Quay", "Harbour Lights"]


def test_filters_narrow_what_is_found(session: Session) -> None:
    made = {
        "Plum Free": make_listed(session, name="Plum Free", category="fun"),
        "Plum Loved": make_listed(
            session, name="Plum Loved", category="travel", rating_count=9, rating_score=4.5
        ),
        "Plum Paid": make_listed(session, name="Plum Paid", category="fun"),
    }
    make_product(session, made["Plum Paid"])
    search.index(session, made["Plum Paid"])

    def found(query: str, *facets: str) -> set[str]:
        rows = {hit.row for hit in search.find(session, query, facets=facets).hits}
        return {name for name, app in made.items() if app.search_row in rows}

    fun, free = search.facet("category", "fun"), search.facet("price", "free")
    assert found("plum", fun) == {"Plum Free", "Plum Paid"}
    assert found("plum", fun, free) == {"Plum Free"}
    assert found("plum", search.facet("rated", "well")) == {"Plum Loved"}
    assert found("plum paid", free) == {"Plum Free", "Plum Loved"}
    assert found("plom", fun, free) == {"Plum Free"}


def test_a_long_list_says_that_it_is_cut(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (search, search_tables):
        monkeypatch.setattr(module, "MOST_HITS", 3)
    for number in range(4):
        make_listed(session, name=f"Tamarind {number}")
    assert search.find(session, "tamarind").is_cut
    assert not search.find(session, "tamarind 2").is_cut


def test_a_mended_slip_is_told(session: Session, shelf: dict[str, App]) -> None:
    assert search.find(session, "helpdsk").meant == "helpdesk"
    assert search.find(session, "helpdesk").meant == ""


@pytest.mark.parametrize("query", ["helpdesk", "helpdsk", "zzzz", "help customers politely now"])
def test_a_search_asks_the_database_twice_at_most(
    session: Session, shelf: dict[str, App], counted: list[str], query: str
) -> None:
    counted.clear()
    search.find(session, query)
    assert len(counted) <= 2


def test_many_apps_are_filed_at_once(session: Session) -> None:
    made = [make_listed(session, name=f"Acacia {number}") for number in range(5)]
    rows = [app.search_row for app in made]
    search.index(session, *made)
    assert len({app.search_row for app in made} | set(rows)) == 10
    assert len(search.find(session, "acacia").hits) == 5
