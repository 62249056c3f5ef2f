"""What an app gives becomes items that a store can draw, or a sentence what is wrong with it."""

import dataclasses
from collections.abc import Generator
from enum import Enum
from typing import Any

import pytest
from caravan import (
    App,
    Chart,
    Column,
    Form,
    HostError,
    Image,
    InvalidAction,
    Json,
    Table,
    results,
)
from caravan.testing import Simulator

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"


class Mood(Enum):
    CALM = "calm"


@dataclasses.dataclass(frozen=True)
class City:
    name: str
    people: int | None
    is_capital: bool = False


def test_a_table_of_dataclasses_finds_its_columns_and_their_kinds() -> None:
    table = Table([City("Rabat", 580_000, is_capital=True), City("Fes", None)])
    assert results.item(table) == {
        "kind": "table",
        "columns": [
            {"name": "name", "label": "Name", "type": "text"},
            {"name": "people", "label": "People", "type": "number"},
            {"name": "is_capital", "label": "Is capital", "type": "boolean"},
        ],
        "rows": [["Rabat", 580_000, True], ["Fes", None, False]],
    }


def test_a_table_takes_the_columns_it_is_given_from_mappings_and_plain_rows() -> None:
    columns = ["b", Column("a", "The first", "number")]
    expected = [[2, 1], [None, 3]]
    assert results.item(Table([{"a": 1, "b": 2}, {"a": 3}], columns))["rows"] == expected
    plain = results.item(Table([(2, 1), (None, 3)], columns))
    assert plain["rows"] == expected
    assert plain["columns"][1] == {"name": "a", "label": "The first", "type": "number"}


def test_a_picture_is_known_by_its_first_bytes() -> None:
    assert results.item(Image(PNG, "A tent")) == {
        "kind": "image",
        "media_type": "image/png",
        "base64": "iVBORw0KGgpyZXN0",
        "alt": "A tent",
    }


def test_a_chart_keeps_its_series_in_order_and_its_gaps() -> None:
    chart = Chart(["Jan", "Feb"], {"Rain": [1.5, None], "Sun": [2, 3]}, "Weather", "bar")
    assert results.item(chart) == {
        "kind": "chart",
        "type": "bar",
        "title": "Weather",
        "x": ["Jan", "Feb"],
        "series": [{"name": "Rain", "values": [1.5, None]}, {"name": "Sun", "values": [2, 3]}],
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": (1, Mood.CALM)}, {"a": [1, "calm"]}),
        ([City("Fes", 1)], [{"name": "Fes", "people": 1, "is_capital": False}]),
        (3, 3),
        (True, True),
        (City("Fes", 1), {"name": "Fes", "people": 1, "is_capital": False}),
        (Json(None), None),
    ],
)
def test_anything_that_json_can_say_is_shown_as_data(value: Any, expected: Any) -> None:
    assert results.item(value) == {"kind": "json", "value": expected}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (Table([[1, 2]]), "needs `columns`"),
        (Table([[1, 2]], ["a"]), "not one value for each of its 1 columns"),
        (Table([{"a": {1}}]), "not JSON"),
        (Image(b"<svg/>", "A tent"), "PNG, JPEG, GIF or WebP"),
        (Image(PNG, " "), "needs `alt`"),
        (Image(PNG + bytes(results.MAX_IMAGE_BYTES), "A tent"), "is too large"),
        (Chart([1, 2], {"Rain": [1]}), "“Rain” has 1 values for 2 places"),
        (Chart([1], {"Rain": ["much"]}), "“Rain” holds “much”, which is not a number"),
        (Chart([1], {"Rain": [True]}), "which is not a number"),
        (Chart([1], {"Rain": [float("nan")]}), "not JSON"),
        (Chart([], {}), "at least one place"),
        (b"bytes", "gave a bytes"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_reason(value: Any, sentence: str) -> None:
    with pytest.raises(InvalidAction, match=sentence):
        results.item(value)


def test_a_form_that_is_yielded_gives_its_answer_back() -> None:
    app = App()

    @app.action("Tell")
    def tell() -> Generator[str | Form[City], City, None]:
        first = yield Form(City, "Where?")
        yield f"{first.name} has {first.people}. "
        second = yield Form(City)
        yield second.name

    answers = [{"name": "Fes", "people": 3}, {"name": "Rabat", "people": 4}]
    store = Simulator(app, answers=answers)
    result = store.run("tell")
    assert result.text == "Fes has 3. Rabat"
    asked = result.host_calls[0].payload
    assert (asked["title"], list(asked["schema"]["properties"])) == (
        "Where?",
        ["name", "people", "is_capital"],
    )


def test_an_iterator_that_is_no_generator_is_shown_too() -> None:
    assert list(results.items(iter(["a", 1]), lambda form: form)) == [
        {"kind": "text", "text": "a"},
        {"kind": "json", "value": 1},
    ]


def test_an_action_may_catch_that_nobody_answers_its_form() -> None:
    def refuse(_form: object) -> None:
        raise HostError("form.no-page", "Nobody sees this run.")

    def tell() -> Generator[str | Form[City], City, None]:
        try:
            yield Form(City, "Where?")
        except HostError as refused:
            yield refused.code

    said = [item["text"] for item in results.items(tell(), refuse)]
    assert said == ["form.no-page"]
    with pytest.raises(InvalidAction, match="Only a function with `yield`"):
        list(results.items(iter([Form(City)]), refuse))
