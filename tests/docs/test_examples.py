"""The examples of the pages for developers do what they say."""

import pytest
from caravan.testing import Simulator, Upload

from tests.docs.examples import app
from tools.pages import CAPABILITIES

EXAMPLES = {
    "model": ({}, {"word": "dusk"}, "A1\n\nA2"),
    "vectors": ({}, {"question": "Is there parking behind it?"}, "Parking is behind the house."),
    "files": ({}, {"file": Upload("a.txt", b"one two")}, "a.txt has 2 words."),
    "web": ({"web": {"https://example.org/tea": "Mint tea"}}, {"page": "tea"}, "Mint tea"),
    "settings": ({"settings": {"name": "Lina"}, "locale": "ar"}, {}, "Marhaba, Lina!"),
    "forms": ({"answers": [{"number": 7}]}, {}, "Right!"),
    "results": ({}, {}, "Plain text, **bold** text."),
    "money": ({"entitlements": {"pro"}}, {}, "A short poem. And a long one."),
    "progress": ({}, {}, "Ready."),
    "storage": ({}, {"note": "tea"}, "Your note 1, of 1 in all."),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_does_what_it_says(name: str) -> None:
    store, values, expected = EXAMPLES[name]
    simulator = Simulator(app, **{"llm": [["A1"], ["A2"]], **store})  # type: ignore[arg-type]
    assert simulator.run(name, **values).text == expected  # type: ignore[arg-type]


def test_an_answer_as_data_is_an_object_of_the_class() -> None:
    simulator = Simulator(app, llm=['{"topic": "refund", "urgent": true}'])
    [shown] = simulator.run("data", message="My money!").all("json")
    assert shown["value"] == {"topic": "refund", "urgent": True}


def test_every_capability_has_an_example_that_is_run() -> None:
    assert {*EXAMPLES, "data"} == set(CAPABILITIES)
