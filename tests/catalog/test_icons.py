"""Drawn icons: the same for one ident, safe, and well-formed."""

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalog.icons import generated

IDENT = st.from_regex(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+", fullmatch=True)


@given(IDENT)
def test_an_icon_is_a_square_picture_without_anything_active(ident: str) -> None:
    drawn = generated(ident)
    assert drawn == generated(ident)
    root = ET.fromstring(drawn)
    assert root.get("viewBox") == "0 0 128 128"
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        "svg",
        "rect",
        "path",
        "circle",
        "g",
    }


def test_icons_differ() -> None:
    assert len({generated(f"maker.app-{number}") for number in range(50)}) > 45
