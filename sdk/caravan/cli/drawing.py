"""Draws the dev page with the store's own templates: the same forms, the same results."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from caravan.house import house

PAGE = Path(__file__).parent / "page"


def url_for(endpoint: str, *, filename: str) -> str:
    """The address of a static file, as the templates ask for it."""
    return f"/{endpoint}/{filename}"


@cache
def environment() -> Environment:
    """Templates as the store sets them up, in English."""
    made = Environment(
        loader=FileSystemLoader([PAGE, house("marketplace/templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_null_translations(newstyle=True)  # type: ignore[attr-defined]  # of the extension
    made.globals.update(url_for=url_for, csrf_field=Markup, csrf_token=str)
    return made


def draw(template: str, **given: Any) -> str:
    """One template of ours or of the store."""
    return environment().get_template(template).render(**given)


def item_html(item: Mapping[str, Any]) -> str:
    """A table, a chart, a picture or data, as the store shows it."""
    return draw("item.html", item=item)
