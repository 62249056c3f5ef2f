"""Schedules that people have switched on: runs start by themselves, within a person's budgets."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from caravan.manifest import ScheduleSection
from sqlmodel import Session, col, select

from marketplace.catalog import channels, wording
from marketplace.catalog import queries as catalog
from marketplace.catalog.models import App, AppState, Release
from marketplace.infra.vault import Vault
from marketplace.kernel.errors import CaravanError, Limited, NotFound
from marketplace.kernel.ids import AccountId, AppId, RunId
from marketplace.kernel.words import noted
from marketplace.runs import clockwork, service
from marketplace.runs.clockwork import MOST_FAILURES, Last
from marketplace.runs.consent import ConsentNeeded
from marketplace.runs.models import Run, RunState, StopReason, Timer
from marketplace.runs.pages import TimerRow
from marketplace.runs.preferences import SettingsNeeded
from marketplace.runs.settings import RunSettings
from marketplace.web.i18n import current_locale, ngettext
from marketplace.web.i18n import gettext as _

AT_ONCE = 20
SENTENCES = {
    StopReason.FAILED: noted(
        "It failed %(n)s times in a row and was switched off. Look at its last run, then switch "
        "it on again."
    ),
    StopReason.CHANGED: noted(
        "The app's new version runs it more or less often. Switch it on again if you agree."
    ),
    StopReason.GONE: noted("The app no longer does this."),
    StopReason.NEEDS_INPUT: noted("The app's new version asks for input, so start it yourself."),
    StopReason.NOT_BOUGHT: noted("Buy the app, then switch it on again."),
    StopReason.NOT_ALLOWED: noted(
        "The app asks for something you have not allowed. Run it once yourself, then switch it on "
        "again."
    ),
    StopReason.NOT_SET_UP: noted("Fill in the app's settings, then switch it on again."),
}
REASONS: Mapping[type[CaravanError], StopReason] = {
    service.NothingToRun: StopReason.GONE,
    service.BadInput: StopReason.NEEDS_INPUT,
    service.NotBought: StopReason.NOT_BOUGHT,
    ConsentNeeded: StopReason.NOT_ALLOWED,
    SettingsNeeded: StopReason.NOT_SET_UP,
}
ENDINGS = {
    RunState.FINISHED: Last.WELL,
    RunState.STOPPED: Last.WELL,
    RunState.FAILED: Last.FAILED,
}


class NoSuchSchedule(NotFound):
    """The app has no schedule for this action."""


def switch_on(
    session: Session,
    app: App,
    action: str,
    *,
    person_id: AccountId,
    locale: str,
    vault: Vault,
    now: datetime,
) -> None:
    """Let an action run by itself for a person, for the first time after one interval.

    Raises: NoSuchSchedule, and what `service.check` raises where it could not run now.
    """
    release, _schema = service.check(
        session, app, action, {}, person_id=person_id, vault=vault, now=now
    )
    every_s = _intervals(release.manifest).get(action)
    if every_s is None:
        raise NoSuchSchedule(_("This app has no such schedule. Reload the page to see them."))
    timer = _find(session, person_id, app.id, action) or Timer(
        person_id=person_id,
        app_id=AppId(app.id),
        action=action,
        every_s=every_s,
        locale=locale,
        created_at=now,
    )
    timer.every_s, timer.locale, timer.failures, timer.stopped = every_s, locale, 0, None
    timer.next_at = now + timedelta(seconds=every_s)
    session.add(timer)


def switch_off(session: Session, person_id: AccountId, app_id: UUID, action: str) -> None:
    """Let it run by itself no more; off already is as good."""
    timer = _find(session, person_id, app_id, action)
    if timer is not None:
        session.delete(timer)


def due(session: Session, *, now: datetime) -> Sequence[UUID]:
    """Schedules whose time has come, the longest due first."""
    return session.exec(
        select(Timer.id)
        .where(col(Timer.next_at) <= now)
        .order_by(col(Timer.next_at))
        .limit(AT_ONCE)
    ).all()


def begin(
    session: Session,
    timer_id: UUID,
    *,
    settings: RunSettings,
    vault: Vault,
    executor: str,
    now: datetime,
) -> RunId | None:
    """Start the run of a schedule that is due and set when it is due next, in one transaction.

    Returns: the queued run, or None where none starts. Effects: a schedule that cannot run until
    its person does something is switched off, with the reason.
    """
    # Another worker may have seen it due too: the later one finds its time moved on.
    timer = session.get(Timer, timer_id, with_for_update=True)
    if timer is None or timer.next_at is None or timer.next_at > now:
        return None
    last = _last(session, timer)
    tick = clockwork.tick(timer.next_at, timer.every_s, timer.failures, last, now)
    timer.next_at, timer.failures = tick.next_at, tick.failures
    if tick.next_at is None:
        timer.stopped = StopReason.FAILED
    if last is not Last.GOING:
        timer.run_id = None
    if not tick.starts:
        return None
    app = session.get_one(App, timer.app_id)
    if reason := _changed(session, app, timer):
        timer.next_at, timer.stopped = None, reason
        return None
    try:
        run = service.start(
            session,
            app,
            person_id=timer.person_id,
            action=timer.action,
            values={},
            locale=timer.locale,
            settings=settings,
            vault=vault,
            executor=executor,
            is_scheduled=True,
            now=now,
        )
    except Limited:
        # The person's hour is used up, or enough of theirs runs already: the next beat is there.
        return None
    except tuple(REASONS) as error:
        timer.next_at, timer.stopped = None, REASONS[type(error)]
        return None
    session.flush()  # the schedule points at the run
    timer.run_id = run.id
    return RunId(run.id)


def mine(session: Session, person_id: AccountId, *, locale: str) -> Sequence[TimerRow]:
    """Everything that runs by itself for a person, or did until the store switched it off."""
    rows = session.exec(
        select(Timer, App, Release)
        .join(App, col(App.id) == col(Timer.app_id))
        .join(Release, col(Release.id) == channels.release_id(person_id))
        .where(Timer.person_id == person_id)
        .order_by(col(Timer.created_at))
    ).all()
    names = catalog.names(session, [app.id for _timer, app, _release in rows], locale=locale)
    return [
        _row(app, names.get(app.id, app.name), release, timer.action, timer)
        for timer, app, release in rows
    ]


def of_app(
    session: Session, person_id: AccountId, app: App, release: Release, name: str
) -> Sequence[TimerRow]:
    """What an app can do by itself, and whether it does so for this person."""
    return [
        _row(app, name, release, action, _find(session, person_id, app.id, action))
        for action in _intervals(release.manifest)
    ]


def every(seconds: int) -> str:
    """An interval in words: 900 gives “every 15 minutes”."""
    if seconds % 86_400 == 0:
        return ngettext("every day", "every %(num)s days", seconds // 86_400)
    if seconds % 3_600 == 0:
        return ngettext("every hour", "every %(num)s hours", seconds // 3_600)
    return ngettext("every minute", "every %(num)s minutes", seconds // 60)


def _row(app: App, name: str, release: Release, action: str, timer: Timer | None) -> TimerRow:
    offered = _intervals(release.manifest).get(action)
    every_s = timer.every_s if timer and (timer.next_at or offered is None) else offered
    actions = wording.actions(release, locale=current_locale())
    described = {each["name"]: each["title"] for each in actions}
    stopped = timer.stopped if timer else None
    return TimerRow(
        app_ident=app.ident,
        app_name=name,
        action=action,
        title=described.get(action, action),
        every=every(every_s or 0),
        next_at=timer.next_at if timer else None,
        stopped=_(SENTENCES[stopped], n=MOST_FAILURES) if stopped else "",
    )


def _intervals(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Action → how often it may run by itself, in seconds."""
    sections = [ScheduleSection(**each) for each in manifest.get("schedule") or []]
    return {section.action: section.every_s for section in sections}


def _changed(session: Session, app: App, timer: Timer) -> StopReason | None:
    """Why a schedule is not the one its person switched on any more."""
    if app.state is not AppState.LISTED:
        return StopReason.GONE
    release = channels.release_for(session, app, timer.person_id)
    every_s = _intervals(release.manifest).get(timer.action) if release else None
    if every_s is None:
        return StopReason.GONE
    return None if every_s == timer.every_s else StopReason.CHANGED


def _last(session: Session, timer: Timer) -> Last:
    run = session.get(Run, timer.run_id) if timer.run_id else None
    return Last.NONE if run is None else ENDINGS.get(run.state, Last.GOING)


def _find(session: Session, person_id: AccountId, app_id: UUID, action: str) -> Timer | None:
    return session.exec(
        select(Timer).where(
            Timer.person_id == person_id, Timer.app_id == app_id, Timer.action == action
        )
    ).first()
