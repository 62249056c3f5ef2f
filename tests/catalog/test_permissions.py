"""Every permission the SDK knows is told in plain words."""

from typing import get_args

import pytest
from caravan import manifest

from marketplace.catalog import categories, permissions


@pytest.mark.parametrize("name", get_args(manifest.Permission))
def test_a_permission_of_the_sdk_has_words(name: str) -> None:
    asked = permissions.asked(name, "Because.")
    assert asked.title == permissions.sentence(name) != name
    assert asked.title.endswith(".")
    assert asked.level in {"low", "medium", "high"}


def test_an_unknown_permission_is_shown_as_it_is_and_as_grave() -> None:
    asked = permissions.asked("camera.use", "To see you.")
    assert (asked.title, asked.level) == ("camera.use", "high")


def test_every_category_of_the_sdk_has_a_shelf() -> None:
    assert set(categories.TABLE) == set(manifest.CATEGORIES)
    assert categories.link("unheard-of").name == "unheard-of"
