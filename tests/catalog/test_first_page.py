"""The first page: its rows, the collections, and what follows from a person's own runs."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import Session

from marketplace.catalog import editorial, first_page, service
from marketplace.catalog.editorial import Draft
from marketplace.catalog.models import App, AppState, ListingText
from marketplace.catalog.pages import Home, OwnRow
from marketplace.kernel.ids import AccountId, AppId
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, make_app

TODAY = NOON.date()


def home(session: Session, *, person: UUID | None = None, locale: str = "en") -> Home:
    person_id = AccountId(person) if person else None
    return first_page.home(session, locale=locale, today=TODAY, person_id=person_id)


def use(session: Session, person: UUID, *apps: App, days_ago: int = 0) -> None:
    for app in apps:
        when = NOON - timedelta(days=days_ago)
        service.count_run(session, AppId(app.id), AccountId(person), now=when)
        session.refresh(app)


def names(row: OwnRow) -> list[str]:
    return [tile.name for tile in row.tiles]


def test_it_has_what_is_run_most_and_what_is_new(session: Session) -> None:
    for age in range(10):
        make_app(session, name=f"App {age}", score=age, published_at=NOON - timedelta(days=age))
    page = home(session)
    assert [tile.name for tile in page.used] == [f"App {n}" for n in (9, 8, 7, 6, 5, 4)]
    assert [tile.name for tile in page.new] == [f"App {n}" for n in range(first_page.ROW)]
    assert [(link.key, link.count) for link in page.categories] == [("fun", 10)]
    assert [list(page.trending), list(page.loved), list(page.own)] == [[], [], []]


def test_it_has_what_rises_and_what_is_loved(session: Session) -> None:
    make_app(session, name="Risen", trend=0.4)
    make_app(session, name="Rising", trend=0.7)
    make_app(session, name="Loved", rating_count=3, rating_total=15, rating_score=4.2)
    make_app(session, name="Praised once", rating_count=1, rating_total=5, rating_score=4.9)
    page = home(session)
    assert [tile.name for tile in page.trending] == ["Rising", "Risen"]
    assert [tile.name for tile in page.loved] == ["Loved"]


@pytest.fixture
def shop(session: Session) -> dict[str, App]:
    """Oud, which people use together with Rabab, and others."""
    shelves = {"Oud": "fun", "Rabab": "travel", "Ney": "travel", "Qanun": "fun", "Daf": "fun"}
    made = {name: make_app(session, name=name, category=shelf) for name, shelf in shelves.items()}
    for _number in range(6):
        use(session, make_account(session).id, made["Oud"], made["Rabab"])
    return made


def test_a_row_follows_what_a_person_ran_and_says_why(
    session: Session, shop: dict[str, App]
) -> None:
    lina = make_account(session).id
    use(session, lina, shop["Oud"])
    [row] = home(session, person=lina).own
    assert row.because == "Oud"
    assert names(row)[0] == "Rabab"
    assert sorted(names(row)[1:]) == ["Daf", "Qanun"]


def test_what_a_person_ran_last_comes_first_to_be_used_again(
    session: Session, shop: dict[str, App]
) -> None:
    lina = make_account(session).id
    use(session, lina, shop["Oud"], days_ago=9)
    use(session, lina, shop["Daf"], shop["Ney"], days_ago=2)
    use(session, lina, shop["Oud"])
    shop["Ney"].state = AppState.BLOCKED
    session.flush()
    assert [tile.name for tile in home(session, person=lina).again] == ["Oud", "Daf"]
    assert [
        list(home(session, person=other).again) for other in (make_account(session).id, None)
    ] == [[], []]


def test_one_account_cannot_put_its_app_beside_another(
    session: Session, shop: dict[str, App]
) -> None:
    lina, booster = make_account(session).id, make_account(session).id
    use(session, lina, shop["Oud"])
    before = [names(row) for row in home(session, person=lina).own]
    for days_ago in range(30):
        use(session, booster, shop["Oud"], shop["Ney"], shop["Ney"], days_ago=days_ago)
    assert [names(row) for row in home(session, person=lina).own] == before


def test_a_person_never_sees_what_they_use_already_or_what_is_not_listed(
    session: Session, shop: dict[str, App]
) -> None:
    lina = make_account(session).id
    use(session, lina, shop["Oud"], shop["Daf"])
    shop["Rabab"].state = AppState.BLOCKED
    make_app(session, name="Tar")
    session.flush()
    rows = home(session, person=lina).own
    shown = [name for row in rows for name in names(row)]
    assert sorted(shown) == ["Qanun", "Tar"]
    assert len(rows) == 1, "what stands in one row is not repeated in the next"


def test_the_app_of_these_days_leads_and_what_is_long_past_does_not_count(
    session: Session, shop: dict[str, App]
) -> None:
    lina = make_account(session).id
    use(session, lina, shop["Qanun"], days_ago=200)
    assert home(session, person=lina).own == []
    use(session, lina, shop["Oud"], days_ago=60)
    use(session, lina, shop["Rabab"], days_ago=1)
    make_app(session, name="Buzuq", category="travel")
    assert home(session, person=lina).own[0].because == "Rabab"


def test_an_app_that_was_taken_down_leads_no_row(session: Session, shop: dict[str, App]) -> None:
    lina = make_account(session).id
    use(session, lina, shop["Oud"])
    shop["Oud"].state = AppState.BLOCKED
    session.flush()
    assert home(session, person=lina).own == []


def test_a_row_is_named_in_the_language_of_its_reader(
    session: Session, shop: dict[str, App]
) -> None:
    lina = make_account(session).id
    use(session, lina, shop["Oud"])
    session.add(ListingText(app_id=shop["Oud"].id, locale="ar", name="عود", summary="يعزف."))
    assert home(session, person=lina, locale="ar").own[0].because == "عود"


def test_collections_lead_the_page_and_follow_its_shelves(
    session: Session, shop: dict[str, App]
) -> None:
    idents = [shop[name].ident for name in ("Qanun", "Daf", "Oud")]
    texts = {"en": {"title": "Strings", "lead": ""}, "ar": {"title": "أوتار", "lead": ""}}
    editorial.make(session, Draft(texts, idents), now=NOON)
    editorial.make(session, Draft({"en": {"title": "Night"}}, idents[:1], is_hero=True), now=NOON)
    shop["Daf"].state = AppState.BLOCKED
    session.flush()
    page = home(session, locale="ar")
    assert page.hero is not None
    assert (page.hero.title, page.hero.key) == ("Night", "night")
    [strings] = page.collections
    assert strings.title == "أوتار"
    assert [tile.name for tile in strings.tiles] == ["Qanun", "Oud"]


def test_the_whole_page_takes_seven_statements(
    session: Session, shop: dict[str, App], counted: list[str]
) -> None:
    lina = make_account(session).id
    use(session, lina, shop["Oud"], shop["Daf"])
    editorial.make(session, Draft({"en": {"title": "Night"}}, [shop["Ney"].ident]), now=NOON)
    session.flush()
    session.expunge_all()
    counted.clear()
    assert home(session, person=lina, locale="ar").own
    # And one before the page that finds the person: eight, as the budget says.
    assert len(counted) == 7
