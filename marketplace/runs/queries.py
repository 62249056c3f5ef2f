"""Reads of the runs room."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from marketplace.ads import queries as ads
from marketplace.billing import queries as billing
from marketplace.catalog import permissions, wording
from marketplace.catalog import queries as catalog
from marketplace.catalog.models import App, AppState, Release
from marketplace.infra.vault import Vault
from marketplace.kernel.errors import CaravanError
from marketplace.kernel.ids import AccountId, AppId, OfferId, RunId
from marketplace.kernel.money import Money
from marketplace.kernel.paging import Page
from marketplace.publishing.queries import own_app
from marketplace.runs import budgets, consent, fields, preferences, repeating, timers
from marketplace.runs.models import ENDED, Run, RunState, Share
from marketplace.runs.pages import Panel, Receipt, RunRow, RunsPage, SharedPage
from marketplace.runs.settings import RunSettings
from marketplace.web.i18n import current_locale

ROWS_A_PAGE = 20
FIRST_WORDS = 80


def panel(
    session: Session,
    app: App,
    release: Release | None,
    vault: Vault,
    *,
    person_id: AccountId | None,
    unavailable: str | None,
    again: UUID | None = None,
) -> Panel:
    """The run panel of an app's page, before anything is typed.

    Args:
        again: an earlier run of this person, whose input is there to be edited.
    """
    actions = wording.actions(release, locale=current_locale()) if release else []
    manifest = wording.manifest(release, locale=current_locale()) if release else {}
    run = session.get(Run, again) if again else None
    is_theirs = run is not None and (run.person_id, run.app_id) == (person_id, app.id)
    # A later release may do without the action.
    is_known = run is not None and run.action in {each["name"] for each in actions}
    earlier = run if is_theirs and is_known else None
    items = consent.items_of(manifest) if release else {}
    missing = consent.missing(session, person_id, app.id, manifest) if release else {}
    known = preferences.known(session, vault, person_id, app.id, manifest)
    first = actions[0]["name"] if actions else ""
    return Panel(
        app=app,
        actions=actions,
        chosen=earlier.action if earlier else first,
        values=_fillable(session, earlier) if earlier else {},
        asks=consent.asked(missing),
        allow=consent.COMMA.join(missing),
        is_widened=0 < len(missing) < len(items),
        product=billing.product_needed(session, person_id, app.id),
        is_signed_in=person_id is not None,
        unavailable=unavailable,
        has_settings=preferences.is_asked(manifest),
        needs=[each["label"] for each in preferences.missing(manifest, known)],
    )


def receipt(session: Session, run: Run) -> Receipt:
    """What an ended run took."""
    release = session.get_one(Release, run.release_id)
    offers = [item["offer"] for item in run.output if item["kind"] == "slot"]
    card = ads.card(session, OfferId(UUID(offers[0]))) if offers else None
    held_ms = run.prefill_ms + run.decode_ms if run.kv_token_ms else 0
    return Receipt(
        run=run,
        release_version=release.version,
        price=Money(run.price_micros, run.currency),
        permissions=[permissions.sentence(name) for name in run.permissions_used],
        sponsor=card.headline if card else None,
        held_tokens=round(run.kv_token_ms / held_ms) if held_ms else 0,
        held_ms=held_ms,
    )


def inputs(run: Run, action: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was asked, as label and value; `action` is as the app described it."""
    asked = action["input_schema"]["properties"]
    return [
        (fields.label_of(asked.get(key, {}), key), fields.told(value, asked.get(key, {})))
        for key, value in run.input.items()
    ]


def action_of(session: Session, run: Run, *, locale: str) -> Mapping[str, Any]:
    """The action of a run, as its release described it."""
    release = session.get_one(Release, run.release_id)
    return next(a for a in wording.actions(release, locale=locale) if a["name"] == run.action)


def shared_page(session: Session, run: Run, share: Share, *, locale: str) -> SharedPage:
    """A run as others see it."""
    app, name = catalog.app_and_name(session, run.app_id, locale=locale)
    action = action_of(session, run, locale=locale)
    return SharedPage(
        app=app,
        app_name=name,
        action_title=action["title"],
        made_at=run.created_at,
        model=run.model,
        run=run,
        items=[item for item in run.output if item["kind"] != "slot"],
        inputs=inputs(run, action) if share.shows_input else (),
        is_listed=app.state is AppState.LISTED,
    )


def mine(
    session: Session,
    person_id: AccountId,
    settings: RunSettings,
    *,
    number: int,
    locale: str,
    now: datetime,
) -> RunsPage:
    """One page of a person's runs, newest first, and what they used of their hour."""
    total = session.exec(
        select(func.count()).select_from(Run).where(Run.person_id == person_id)
    ).one()
    found = session.exec(
        select(Run, App)
        .join(App, col(App.id) == col(Run.app_id))
        .where(Run.person_id == person_id)
        .order_by(col(Run.created_at).desc())
        .offset((number - 1) * ROWS_A_PAGE)
        .limit(ROWS_A_PAGE)
    ).all()
    names = catalog.names(session, [app.id for _, app in found], locale=locale)
    rows = [
        RunRow(
            id=str(run.id),
            app_ident=app.ident,
            app_name=names.get(app.id, app.name),
            state=run.state.value,
            created_at=run.created_at,
            generated_tokens=run.generated_tokens,
            first_words=_first_words(run),
            is_scheduled=run.is_scheduled,
        )
        for run, app in found
    ]
    running = timers.mine(session, person_id, locale=locale) if number == 1 else ()
    hour = budgets.hour(session, person_id, settings, now=now)
    return RunsPage(Page(rows, number, ROWS_A_PAGE, total), running, hour)


def of_developer(
    session: Session, ident: str, developer_id: AccountId, *, limit: int
) -> list[tuple[Run, Release]]:
    """The newest runs of a developer's app, each with its release. Raises: NotYours."""
    app = own_app(session, ident, developer_id)
    found = session.exec(
        select(Run, Release)
        .join(Release, col(Release.id) == col(Run.release_id))
        .where(Run.app_id == app.id)
        .order_by(col(Run.created_at).desc())
        .limit(limit)
    ).all()
    return list(found)


def _fillable(session: Session, run: Run) -> Mapping[str, Any]:
    schema = action_of(session, run, locale=current_locale())["input_schema"]
    values: Mapping[str, Any] = repeating.fillable(run.input, schema)
    return values


def _first_words(run: Run) -> str:
    text = next((str(v) for v in run.input.values() if isinstance(v, str) and v), "")
    return text if len(text) <= FIRST_WORDS else text[:FIRST_WORDS] + "…"


def counts_by_app(session: Session, app_ids: list[AppId]) -> Mapping[AppId, int]:
    """How often each of these apps was run to its end."""
    rows = session.exec(
        select(Run.app_id, func.count())
        .where(col(Run.app_id).in_(app_ids), Run.state == RunState.FINISHED)
        .group_by(col(Run.app_id))
    ).all()
    return {AppId(app_id): count for app_id, count in rows}


def going_of(session: Session, person_id: AccountId, app_id: AppId) -> list[RunId]:
    """What one app does for one person now."""
    found = session.exec(
        select(Run.id).where(
            Run.person_id == person_id, Run.app_id == app_id, col(Run.state).not_in(ENDED)
        )
    ).all()
    return [RunId(run_id) for run_id in found]


def going(session: Session) -> int:
    """How many runs go on now in the whole store."""
    return session.exec(
        select(func.count()).select_from(Run).where(Run.state == RunState.RUNNING)
    ).one()


def refilled(panel: Panel, action: str, values: Mapping[str, Any], error: CaravanError) -> Panel:
    """The panel again, with what was typed and what is wrong with it."""
    errors = {**error.fields} or {"": error.message}
    return replace(panel, chosen=action, values=values, errors=errors)
