"""The forms of the accounts room: what a browser may send, and what is said about the rest."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from marketplace.accounts.models import LONGEST_EMAIL, LONGEST_NAME, LONGEST_TOKEN_NAME
from marketplace.accounts.passwords import LONGEST as LONGEST_PASSWORD
from marketplace.kernel.errors import Invalid
from marketplace.web.csrf import FIELD as CSRF_FIELD
from marketplace.web.i18n import gettext as _

# A name is one line: no control characters, and none that turn the text around them.
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+$"
NEXT = "next"
PASSWORD_FIELDS = frozenset({"password", "present", "new"})


class BadForm(Invalid):
    """A form was not filled in as it must be; `fields` says where."""


class AccountForm(BaseModel):
    """Every form here: exactly its fields, nothing more."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Email = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_EMAIL)
]
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=LONGEST_NAME, pattern=ONE_LINE
    ),
]
TokenName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=LONGEST_TOKEN_NAME, pattern=ONE_LINE
    ),
]
# Blanks at the ends of a password belong to it.
Password = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PASSWORD)]


class SignUpForm(AccountForm):
    """A new account; also the first operator's."""

    name: Name
    email: Email
    password: Password


class SignInForm(AccountForm):
    """A person who comes back."""

    email: Email
    password: Password


class SettingsForm(AccountForm):
    """What people see of a person, and the language they see the store in."""

    name: Name
    locale: str
    theme: Literal["auto", "light", "dark"]


class ChoicesForm(AccountForm):
    """What may be chosen by what a person does here; a switch that is off is not sent."""

    own_rows: Literal["", "true"] = ""
    ads_fit_app: Literal["", "true"] = ""


class VouchForm(AccountForm):
    """What only the person themselves may do, vouched for by their password."""

    password: Password


class PasswordForm(AccountForm):
    """A new password, vouched for by the present one."""

    present: Password
    new: Password


class TokenForm(AccountForm):
    """A new API token; a switch that is off is not sent."""

    name: TokenName
    may_run: Literal["", "true"] = ""


AnyForm = TypeVar("AnyForm", bound=AccountForm)


def read(form: type[AnyForm], posted: Mapping[str, str]) -> AnyForm:
    """The form as it was sent. Raises: BadForm, with a sentence for each field that is wrong."""
    sent = {key: value for key, value in posted.items() if key not in {CSRF_FIELD, NEXT}}
    try:
        return form.model_validate(sent)
    except ValidationError as error:
        fields = {
            str(fault["loc"][0]): _sentence(fault["type"], fault.get("ctx", {}))
            for fault in error.errors()
        }
        raise BadForm(_("Please look at the form again."), fields=fields) from None


def _sentence(kind: str, context: Mapping[str, object]) -> str:
    if kind in {"missing", "string_too_short"}:
        return _("Please fill this in.")
    if kind == "string_too_long":
        return _("Use at most %(n)s characters.") % {"n": context["max_length"]}
    if kind == "string_pattern_mismatch":
        return _("Write this in one line, without special characters.")
    if kind == "extra_forbidden":
        return _("This form has no such field. Reload the page and try again.")
    return _("This is not accepted here.")


def typed(posted: Mapping[str, str]) -> dict[str, str]:
    """What to show again in a form that was refused: everything but passwords."""
    return {key: value for key, value in posted.items() if key not in PASSWORD_FIELDS}


def local(url: str | None) -> str:
    """The address when it is one of this store, else "": nobody is sent elsewhere.

    Browsers read a backslash as a slash and drop tabs and line ends, so what begins with one
    slash and then has either of them may lead away.
    """
    if not url or not url.startswith("/") or url.startswith("//") or "\\" in url:
        return ""
    has_control = any(ord(char) <= 0x20 or ord(char) == 0x7F for char in url)
    return "" if has_control else url
