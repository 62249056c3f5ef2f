"""What each page of the runs room shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marketplace.catalog.models import App, Product
from marketplace.catalog.pages import Tile
from marketplace.catalog.permissions import Asked
from marketplace.kernel.money import Money
from marketplace.kernel.paging import Page
from marketplace.runs.models import Run, Share


@dataclass(frozen=True)
class Panel:
    """The box on an app's page in which a person fills the form and runs it.

    Args:
        actions: as the app described them: name, title, doc, input_schema.
        chosen: name of the action whose form is open.
        values: what was typed, by field name.
        errors: sentence by field name; under "" what concerns the whole form.
        asks: what the person must allow before it runs; `allow` names it for the form.
        is_widened: whether they allowed an earlier version less.
        product: what must be bought first, or None.
        unavailable: a sentence why no app can run now, or None.
        has_settings: whether the app has a page of settings or schedules.
        needs: captions of the settings that must be made first.
    """

    app: App
    actions: Sequence[Mapping[str, Any]]
    chosen: str
    values: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    asks: Sequence[Asked] = ()
    allow: str = ""
    is_widened: bool = False
    product: Product | None = None
    is_signed_in: bool = False
    unavailable: str | None = None
    has_settings: bool = False
    needs: Sequence[str] = ()


@dataclass(frozen=True)
class Allowed:
    """What a person has allowed one app, for which version and when."""

    ident: str
    name: str
    version: str
    given_at: datetime
    items: Sequence[Asked]
    has_settings: bool


@dataclass(frozen=True)
class SettingsPage:
    """What a person may set for one app.

    Args:
        schema: of the form, without secrets that are set already; `values`: what is in it.
        errors: sentence by field name.
        kept: name → caption of each secret that is kept, and is never shown again.
        can_forget: whether anything is kept at all.
        timers: what the app can do by itself.
    """

    app: App
    app_name: str
    schema: Mapping[str, Any]
    values: Mapping[str, Any]
    errors: Mapping[str, str]
    kept: Mapping[str, str]
    can_forget: bool
    timers: Sequence["TimerRow"]


@dataclass(frozen=True)
class Receipt:
    """What a run took. Times in milliseconds.

    Args:
        held_tokens: of the model's memory, on average while it read and wrote.
        held_ms: for how long; 0 where it held none, or another machine did not count.
        permissions: plain sentences, one for each permission the run used.
        sponsor: headline of the advertisement shown, or None.
    """

    run: Run
    release_version: str
    price: Money
    permissions: Sequence[str]
    sponsor: str | None
    held_tokens: int = 0
    held_ms: int = 0


@dataclass(frozen=True)
class HourRow:
    """How much of one thing that an hour allows a person has used.

    Args:
        percent: whole, 100 at most.
    """

    what: str
    percent: int


@dataclass(frozen=True)
class SharedPage:
    """A run as others see it, without its person, its costs and its advertisement.

    Args:
        inputs: label and value of what was asked, or none where that is not shown.
        is_listed: whether the app is there to be tried.
    """

    app: App
    app_name: str
    action_title: str
    made_at: datetime
    model: str | None
    run: Run
    items: Sequence[Mapping[str, Any]]
    inputs: Sequence[tuple[str, str]]
    is_listed: bool


@dataclass(frozen=True)
class QuestionForm:
    """A form that a run waits for; `values` and `errors` as in the panel.

    Args:
        until: when the run waits no longer.
    """

    number: int
    title: str
    schema: Mapping[str, Any]
    until: datetime
    url: str
    values: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunPage:
    """One run: its stream while it goes on, its output and receipt afterwards.

    Args:
        share: the link under which others see it, or None.
        hour: what of this hour the person has used, the most first.
        again_url: where the same is run once more, and `edit_url`: its filled form; "" where the
            app is not in the store any more.
    """

    run: Run
    app: App
    app_name: str
    action_title: str
    inputs: Sequence[tuple[str, str]]
    items: Sequence[Mapping[str, Any]]
    receipt: Receipt | None
    share: Share | None
    hour: Sequence[HourRow]
    question: QuestionForm | None
    events_url: str
    stop_url: str
    again_url: str
    edit_url: str
    has_settings: bool


@dataclass(frozen=True)
class CallRow:
    """One line of an audit log. Sizes in bytes, the time in milliseconds from the start."""

    number: int
    op: str
    at_ms: int
    payload_bytes: int
    answer_bytes: int
    refusal: str


@dataclass(frozen=True)
class AuditPage:
    """What one run asked of the store.

    Args:
        rows: its first calls.
        more: how many further calls the file has.
        has_contents: whether the file this reader gets holds what was said.
    """

    run: Run
    app: App
    app_name: str
    rows: Sequence[CallRow]
    more: int
    has_contents: bool
    file_url: str


@dataclass(frozen=True)
class TimerRow:
    """One schedule of an app, as its person sees it.

    Args:
        every: how often, in words.
        next_at: when it is due; None: it is off.
        stopped: a sentence why the store switched it off, or "".
    """

    app_ident: str
    app_name: str
    action: str
    title: str
    every: str
    next_at: datetime | None
    stopped: str


@dataclass(frozen=True)
class RunRow:
    """One line of a person's list of runs."""

    id: str
    app_ident: str
    app_name: str
    state: str
    created_at: datetime
    generated_tokens: int
    first_words: str
    is_scheduled: bool


@dataclass(frozen=True)
class MyApp:
    """An app that a person ran or bought.

    Args:
        ran_at: the last time, or None.
        bought_at: likewise.
    """

    tile: Tile
    ran_at: datetime | None
    bought_at: datetime | None


@dataclass(frozen=True)
class RunsPage:
    """A person's runs, newest first."""

    rows: Page[RunRow]
    timers: Sequence[TimerRow]
    hour: Sequence[HourRow]
