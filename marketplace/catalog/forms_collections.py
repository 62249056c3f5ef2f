"""The form of a collection: a title and a lead in each language, apps in order, two switches."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, create_model

from marketplace.catalog import forms
from marketplace.catalog.editorial import Draft
from marketplace.catalog.forms import seen
from marketplace.web import i18n

LONGEST_TITLE = 60
LONGEST_LEAD = 160
LONGEST_LIST = 8000

Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_TITLE),
    AfterValidator(seen),
]
OtherTitle = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=LONGEST_TITLE),
    AfterValidator(seen),
]
Lead = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=LONGEST_LEAD),
    AfterValidator(seen),
]


class _Form(BaseModel):
    """What does not depend on the store's languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    apps: Annotated[str, StringConstraints(max_length=LONGEST_LIST)] = ""
    is_hero: Literal["", "true"] = ""
    is_shown: Literal["", "true"] = ""


@cache
def _form() -> type[_Form]:
    """The form with a title and a lead for each language; only the English title must be there."""
    fields: dict[str, Any] = {}
    for locale in i18n.locales():
        is_source = locale == i18n.SOURCE_LOCALE
        fields[f"title_{locale}"] = (Title, ...) if is_source else (OtherTitle, "")
        fields[f"lead_{locale}"] = (Lead, "")
    return create_model("CollectionForm", __base__=_Form, **fields)


def read(posted: Mapping[str, str]) -> Draft:
    """The collection as it was sent. Raises: BadForm."""
    form = forms.read(_form(), posted)
    values = form.model_dump()
    return Draft(
        texts={
            locale: {"title": values[f"title_{locale}"], "lead": values[f"lead_{locale}"]}
            for locale in i18n.locales()
        },
        apps=form.apps.split(),
        is_hero=form.is_hero == "true",
        is_shown=form.is_shown == "true",
    )
