"""What each page of the accounts room shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from marketplace.accounts.closing import Hindrance
from marketplace.accounts.models import DataExport
from marketplace.kernel.ids import TokenId


@dataclass(frozen=True)
class FormPage:
    """A form: empty, or as it was sent with what is wrong with it.

    Args:
        values: what was typed, by field name; never a password.
        errors: sentence by field name; under "" what concerns the whole form.
        next_url: local address to go to afterwards, or "".
        action: where the form is sent.
    """

    action: str
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    next_url: str = ""


@dataclass(frozen=True)
class SessionRow:
    """One browser that is signed in.

    Args:
        browser, system: such as Firefox and Linux; "" where it does not say.
        last_seen_at: to the hour.
    """

    id: UUID
    browser: str
    system: str
    created_at: datetime
    last_seen_at: datetime
    is_present: bool


@dataclass(frozen=True)
class SettingsPage:
    """A person's account.

    Args:
        locales: (key, name in its own language) of each language of the store.
        values: fields of the form that is shown again, by name.
        ads_fit_app: whether advertisements may be chosen by the app in which they stand.
        errors: sentence by field name, of that form.
        has_own_rows: whether the first page may follow what they have run.
    """

    email: str
    values: Mapping[str, str]
    locales: Sequence[tuple[str, str]]
    has_own_rows: bool
    ads_fit_app: bool
    sessions: Sequence[SessionRow]
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DataPage:
    """How a person takes their data away.

    Args:
        export: what this browser asked for, or None.
        errors: sentence by field name.
    """

    export: DataExport | None
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClosePage:
    """How a person leaves.

    Args:
        hindrances: what must be settled first; the form is there when nothing is.
        notes: what they should know before.
        errors: sentence by field name.
    """

    email: str
    hindrances: Sequence[Hindrance]
    notes: Sequence[str]
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenRow:
    """One API token of a developer.

    Args:
        may_run: whether it may run apps in their name, beside what every token may.
    """

    id: TokenId
    name: str
    prefix: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    may_run: bool
    state: Literal["good", "revoked", "ended"]


@dataclass(frozen=True)
class TokensPage:
    """A developer's API tokens.

    Args:
        new_secret: of the token that was just made, shown this once; else "".
        days: how long a new token lasts.
    """

    rows: Sequence[TokenRow]
    days: int
    new_secret: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
