"""The forms of the accounts room: what a browser may send."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from marketplace.accounts.models import LONGEST_EMAIL, LONGEST_NAME, LONGEST_TOKEN_NAME
from marketplace.accounts.passwords import LONGEST as LONGEST_PASSWORD
from marketplace.web.forms import one_line

PASSWORD_FIELDS = frozenset({"password", "present", "new"})


class AccountForm(BaseModel):
    """Every form here: exactly its fields, nothing more."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Email = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_EMAIL)
]
Name = Annotated[str, one_line(LONGEST_NAME)]
TokenName = Annotated[str, one_line(LONGEST_TOKEN_NAME)]
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
