"""What an app may show: each kind as it is kept, and everything else refused."""

import base64
import json
from typing import Any

import pytest
from caravan import Chart, Image, Json, Markdown, Slot, Table, results
from hypothesis import given
from hypothesis import strategies as st

from marketplace.runs import items
from marketplace.sandbox.ports import Refused

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n rest").decode()
TABLE = {"kind": "table", "columns": [{"name": "a"}], "rows": [[1], [None], ["x"]]}
CHART = {"kind": "chart", "type": "bar", "x": ["Jan"], "series": [{"name": "Rain", "values": [1]}]}
IMAGE = {"kind": "image", "media_type": "image/png", "base64": PNG, "alt": "A tent"}


@pytest.mark.parametrize(
    "given",
    [
        Json({"a": [1]}),
        Slot("end"),
        Table([{"a": 1, "b": "x"}, {"a": None, "b": "y"}]),
        Chart([1, 2.5], {"Rain": [1, None]}, "Weather"),
        Image(base64.b64decode(PNG), "A tent"),
    ],
)
def test_what_the_sdk_makes_is_kept_as_it_is(given: object) -> None:
    made = results.item(given)
    assert items.checked(made) == made


def test_a_text_says_whether_it_is_markdown() -> None:
    text = items.checked(results.item(Markdown("**a**\0")))
    assert text == {"kind": "text", "text": "**a**\ufffd", "is_markdown": True}


def test_what_does_not_belong_to_an_item_is_left_out() -> None:
    kept = items.checked({**TABLE, "onclick": "x", "columns": [{"name": "a\0", "href": "x"}]})
    assert kept["columns"] == [{"name": "a\ufffd", "label": "a\ufffd", "type": "text"}]
    assert "onclick" not in kept
    assert len(items.checked({**IMAGE, "alt": "long " * 99})["alt"]) == items.MAX_LABEL_CHARS


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ({"kind": "film"}, "“film” is not a kind"),
        ({"kind": ["text"]}, "is not a kind"),
        ({**TABLE, "columns": []}, "1 to 40 columns"),
        ({**TABLE, "columns": ["a"]}, "A column is"),
        ({**TABLE, "columns": [{"name": "a", "type": "html"}]}, "text, number or boolean"),
        ({**TABLE, "rows": [[1, 2]]}, "one value for each column"),
        ({**TABLE, "rows": [[{"a": 1}]]}, "A cell holds"),
        ({**TABLE, "rows": [[1]] * 5001}, "at most 5000 rows"),
        ({**IMAGE, "media_type": "image/svg+xml"}, "PNG, JPEG, GIF or WebP"),
        ({**IMAGE, "media_type": "image/jpeg"}, "and says which"),
        ({**IMAGE, "media_type": None}, "and says which"),
        ({**IMAGE, "base64": "!"}, "as base64"),
        ({**IMAGE, "alt": " "}, "needs `alt`"),
        ({**CHART, "type": "pie"}, "line or bar"),
        ({**CHART, "x": []}, "1 to 5000 places"),
        ({**CHART, "x": [None]}, "a text or a number"),
        ({**CHART, "series": []}, "1 to 12 series"),
        ({**CHART, "series": [{"name": "a", "values": []}]}, "one value for each place"),
        ({**CHART, "series": [{"name": "a", "values": ["1"]}]}, "a number, or null"),
        ({**CHART, "series": [{"name": "a", "values": [10**400]}]}, "a number, or null"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_reason(
    payload: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        items.checked(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["columns", "rows", "media_type", "base64", "alt", "type", "x", "series", "title", "value"]


@pytest.mark.fuzz
@given(
    st.sampled_from(["text", "json", "slot", "table", "image", "chart"]),
    st.dictionaries(st.sampled_from(KEYS), JSON),
    st.sampled_from([{}, TABLE, CHART, IMAGE]),
)
def test_anything_is_kept_as_json_or_refused(
    kind: str, given: dict[str, Any], base: dict[str, Any]
) -> None:
    try:
        kept = items.checked({**base, **given, "kind": kind})
    except Refused:
        return
    assert json.loads(json.dumps(kept)) == kept
