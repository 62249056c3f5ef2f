"""Forms as a browser sends them: read whole, or refused with a sentence for each wrong field."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import BaseModel, StringConstraints, ValidationError

from marketplace.kernel.errors import Invalid
from marketplace.web.csrf import FIELD as CSRF_FIELD
from marketplace.web.i18n import gettext as _

NEXT = "next"
# No control characters, and none that turn the text around them.
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+$"

AnyForm = TypeVar("AnyForm", bound=BaseModel)


class BadForm(Invalid):
    """A form was not filled in as it must be; `fields` says where."""


def one_line(longest: int) -> StringConstraints:
    """Of a text that must be there and is one line."""
    return StringConstraints(
        strip_whitespace=True, min_length=1, max_length=longest, pattern=ONE_LINE
    )


def sentence(kind: str, context: Mapping[str, object]) -> str:
    """What a person is told of one of pydantic's faults."""
    if kind in {"missing", "string_too_short"}:
        return _("Please fill this in.")
    if kind == "string_too_long":
        return _("Use at most %(n)s characters.", n=context["max_length"])
    if kind == "string_pattern_mismatch":
        return _("Write this in one line, without special characters.")
    if kind == "extra_forbidden":
        return _("This form has no such field. Reload the page and try again.")
    if kind == "value_error":
        return _(str(context["error"]))
    return _("This is not accepted here.")


def read(
    form: type[AnyForm],
    posted: Mapping[str, str],
    *,
    said: Callable[[str, Mapping[str, object]], str] = sentence,
) -> AnyForm:
    """The form as it was sent, without the token that guards it and the address to go on to.

    Args:
        said: the sentence for a fault; a validator's own are translated, so it marks them `noted`.

    Raises: BadForm, with a sentence for each field that is wrong; "" is the form as a whole.
    """
    sent = {key: value for key, value in posted.items() if key not in {CSRF_FIELD, NEXT}}
    try:
        return form.model_validate(sent)
    except ValidationError as error:
        fields = {
            str(next(iter(fault["loc"]), "")): said(fault["type"], fault.get("ctx", {}))
            for fault in error.errors()
        }
        raise BadForm(" ".join(dict.fromkeys(fields.values())), fields=fields) from None
