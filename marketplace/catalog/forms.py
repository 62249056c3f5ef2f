"""What a browser may send about apps, and what is said about the rest."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from marketplace.kernel.errors import Invalid
from marketplace.web.csrf import FIELD as CSRF_FIELD
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


class BadForm(Invalid):
    """A form was not filled in as it must be; `fields` says where."""


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


AnyForm = TypeVar("AnyForm", bound=BaseModel)


def read(form: type[AnyForm], posted: Mapping[str, str]) -> AnyForm:
    """The form as it was sent. Raises: BadForm, with a sentence for each field that is wrong."""
    sent = {key: value for key, value in posted.items() if key != CSRF_FIELD}
    try:
        return form.model_validate(sent)
    except ValidationError as error:
        fields = {
            str(fault["loc"][0]): _sentence(fault["type"], fault.get("ctx", {}))
            for fault in error.errors()
        }
        raise BadForm(" ".join(dict.fromkeys(fields.values())), fields=fields) from None


def _sentence(kind: str, context: Mapping[str, object]) -> str:
    if kind == "string_too_long":
        return _("Use at most %(n)s characters.", n=context["max_length"])
    if kind == "string_too_short":
        return _("Please fill this in.")
    if kind == "missing":
        return _("Choose one of the possibilities first.")
    return _("Reload the page and choose one of its possibilities.")
