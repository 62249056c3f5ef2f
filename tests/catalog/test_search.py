"""Search: the same promises on SQLite and on PostgreSQL, in English and in Arabic."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlmodel import Session

from marketplace.catalog import search
from marketplace.catalog.models import App, AppState, ListingText
from tests.factories.catalog import make_listed


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
    return [by_id[found] for found in search.find(session, query)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("phrasebook", "Phrasebook"),
        ("PHRASE", "Phrasebook"),
        ("journey", "Phrasebook"),
        ("cafe menu", "Café Menü"),
        ("kustomer help", None),
        ("helpdsk", "Helpdesk"),
        ("phrasbook", "Phrasebook"),
        ("copywritter", "Copywriter"),
        ("كتاب العبارات", "Phrasebook"),
        ("كتـــاب", "Phrasebook"),
        ("اسطنبول", "Phrasebook"),
        ("مدرسه", "Phrasebook"),
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
    shelf["Helpdesk"].state = state
    search.index(session, shelf["Helpdesk"])
    assert names(session, shelf, "helpdesk") == []


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
        "x" * 5000,
        "\x00",
        "😀",
        "ـ",
        "%_",
    ],
)
def test_any_query_is_answered(session: Session, shelf: dict[str, App], query: str) -> None:
    assert isinstance(search.find(session, query), list)
    assert names(session, shelf, "phrasebook") == ["Phrasebook"]


@given(st.text(max_size=80))
@example("\N{MATHEMATICAL BOLD ITALIC CAPITAL A}")  # a capital only once it is taken apart
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = search.normalised(text)
    assert search.normalised(once) == once


@given(st.text(alphabet="كتبعلمدرسةأإآاىيو", min_size=1, max_size=12), st.randoms())
def test_vowel_signs_and_stretching_do_not_matter(word: str, random: object) -> None:
    written = "".join(letter + "\u064e\u0651\u0640" for letter in word)
    assert search.normalised(written) == search.normalised(word)


@given(st.text(alphabet="abcdefghij", min_size=1, max_size=15))
def test_a_word_is_wholly_like_a_name_that_has_it(word: str) -> None:
    assert search.likeness([word], f"the {word} app") == 1.0
    assert 0 <= search.likeness([word], "phrasebook") <= 1


def test_composed_and_decomposed_letters_are_the_same() -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert search.normalised(unicodedata.normalize(form, "Café إدارة")) == "cafe اداره"
