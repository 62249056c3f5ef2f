"""What a browser may send about apps, and what is said about the rest."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from marketplace.web import forms
from marketplace.web.forms import AnyForm
from marketplace.web.i18n import gettext as _

LONGEST_WORDS = 2000
# What turns or hides the text around it, and other controls but the line feed.
UNSEEN = {
    *range(9),
    *range(11, 32),
    *range(0x7F, 0xA0),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
}


def seen(words: str) -> str:
    """The words without what turns or hides the text around it."""
    return words.translate(dict.fromkeys(UNSEEN, None)).strip()


Words = Annotated[str, StringConstraints(max_length=LONGEST_WORDS), AfterValidator(seen)]


class RatingForm(BaseModel):
    """A rating: stars, and words for those who want to write some."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stars: Annotated[int, Field(ge=1, le=5)]
    words: Words = ""


class FlagForm(BaseModel):
    """Why a review should not be shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["spam", "abuse", "private", "off-topic"]


class ReplyForm(BaseModel):
    """A developer's answer; empty takes the earlier one back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: Words = ""


class DecisionForm(BaseModel):
    """An operator's word on a review."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    removes: Literal["yes", "no"]
    reason: Words = ""


def read(form: type[AnyForm], posted: Mapping[str, str]) -> AnyForm:
    """See `web.forms.read`; the sentences are for pages that give possibilities to choose from."""
    return forms.read(form, posted, said=_sentence)


def _sentence(kind: str, context: Mapping[str, object]) -> str:
    if kind == "string_too_long":
        return _("Use at most %(n)s characters.", n=context["max_length"])
    if kind == "string_too_short":
        return _("Please fill this in.")
    if kind == "missing":
        return _("Choose one of the possibilities first.")
    return _("Reload the page and choose one of its possibilities.")
