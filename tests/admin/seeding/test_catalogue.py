"""Made-up apps: the same for the same numbers, each its own, and as a manifest may be."""

from datetime import date, timedelta

import pytest
from caravan.manifest import CATEGORIES, Listing

from marketplace.admin.seeding import catalogue
from marketplace.catalog.categories import TABLE
from marketplace.catalog.icons import generated

TODAY = date(2026, 3, 1)


def made(count: int = 300, seed: int = 1) -> list[catalogue.MadeApp]:
    return list(catalogue.apps(count, seed=seed, today=TODAY))


def test_the_same_numbers_give_the_same_catalogue() -> None:
    assert made(40) == made(40)
    assert made(40) != made(40, seed=2)


def test_no_two_of_all_apps_share_an_ident_or_a_name() -> None:
    words = catalogue.vocabulary()
    slugs = [thing[1] for thing in words["things"]]
    names = [thing[2] for thing in words["things"]]
    assert len(set(slugs)) == len(slugs)
    assert len(set(names)) == len(names)
    assert catalogue.most_apps() >= 100_000
    apps = made(9000)
    assert len({app.ident for app in apps}) == len({app.english.name for app in apps}) == 9000


def test_the_longest_names_fit() -> None:
    words = catalogue.vocabulary()
    for thing in words["things"]:
        assert thing[0] in CATEGORIES
        for place in (0, 1):
            longest = sum(
                max(len(each[column]) for each in words[key])
                for key, column in (("brands", place), ("audiences", 1 + place))
            )
            Listing(
                name="n" * (len(thing[2 + place]) + longest + 2),
                summary=thing[4 + place],
                description="d" * 20,
            )


def test_every_category_has_its_share() -> None:
    found = {app.category for app in made()}
    assert found == set(TABLE)


def test_lives_are_told_up_to_today_and_no_further() -> None:
    for app in made():
        days = [day for _number, day in app.versions]
        assert days == sorted(days)
        assert all(day < TODAY for day in days)
        assert all(days[0] <= day <= TODAY for _person, day in app.uses)
        assert len({person for person, _day in app.uses}) == len(app.uses)


def test_only_people_who_used_an_app_have_an_opinion_of_it() -> None:
    reviews = 0
    for app in made():
        users = dict(app.uses)
        for review in app.reviews:
            assert users[review.person] <= review.day <= TODAY
            assert 1 <= review.stars <= 5
        reviews += len(app.reviews)
    assert reviews > 100


def test_few_apps_have_most_of_the_people() -> None:
    sizes = sorted((len(app.uses) for app in made(2000)), reverse=True)
    assert sum(sizes[:200]) > sum(sizes) / 3
    assert sizes[-1] <= 3


def test_new_apps_and_old_ones_are_there() -> None:
    ages = [TODAY - app.versions[0][1] for app in made(2000)]
    assert min(ages) < timedelta(days=14)
    assert max(ages) > timedelta(days=600)


@pytest.mark.parametrize("index", range(5))
def test_a_made_up_app_has_an_icon_of_its_own(index: int) -> None:
    apps = made(20)
    assert generated(apps[index].ident) != generated(apps[index + 5].ident)
