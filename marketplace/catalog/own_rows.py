"""Rows of the first page that follow what one person has run in this store, and say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import CompoundSelect, Integer, func, literal, union_all
from sqlmodel import Session, col, select

from marketplace.catalog import ranking
from marketplace.catalog.models import App, AppState, Use
from marketplace.kernel.ids import AccountId, AppId

# What lies further back says little of what a person likes now.
DAYS = 90
MOST_USES = 300
ROWS = 2
# Of the people who use an app too, so many are asked what else they use; it bounds the work.
ASKED = 100
CANDIDATES = 24


@dataclass(frozen=True)
class Candidate:
    """An app that may stand in a row.

    Args:
        shared: how many of the people who were asked use it.
        asked: how many were asked.
    """

    app_id: AppId
    shared: int
    asked: int


@dataclass(frozen=True)
class Lead:
    """An app that a person runs, and what may fit them because of it."""

    app_id: AppId
    category: str
    candidates: Sequence[Candidate]


@dataclass(frozen=True)
class Own:
    """What one person's own runs bring to the first page.

    Args:
        recent: the listed apps they ran, the latest first.
        leads: those they are drawn to most.
    """

    recent: Sequence[AppId] = ()
    leads: Sequence[Lead] = ()


def of(session: Session, person_id: AccountId, *, today: date) -> Own:
    """The apps a person runs, with what others who use them use: two statements."""
    since = today - timedelta(days=DAYS)
    uses = session.exec(
        select(col(Use.app_id), col(Use.day), col(App.category), col(App.state))
        .join(App, col(App.id) == col(Use.app_id))
        .where(Use.person_id == person_id, col(Use.day) >= since)
        .order_by(col(Use.day).desc())
        .limit(MOST_USES)
    ).all()
    categories = {
        app_id: category for app_id, _day, category, state in uses if state is AppState.LISTED
    }
    days: dict[AppId, list[int]] = {}
    for app_id, day, _category, _state in uses:
        days.setdefault(app_id, []).append((today - day).days)
    chosen = sorted(categories, key=lambda app_id: (-ranking.interest(days[app_id]), app_id))[:ROWS]
    if not chosen:
        return Own()
    wanted = _candidates(
        {app_id: categories[app_id] for app_id in chosen}, person_id, used=days, since=since
    )
    found: dict[AppId, dict[AppId, Candidate]] = {app_id: {} for app_id in chosen}
    for place, app_id, shared, asked in session.execute(wanted):
        known = found[chosen[place]].get(app_id)
        if known is None or known.shared < shared:
            found[chosen[place]][app_id] = Candidate(app_id, shared, asked)
    leads = [
        Lead(app_id, categories[app_id], list(candidates.values()))
        for app_id, candidates in found.items()
    ]
    return Own(list(categories), leads)


def _candidates(
    seeds: Mapping[AppId, str], person_id: AccountId, *, used: Mapping[AppId, object], since: date
) -> CompoundSelect[tuple[int, AppId, int, int]]:
    """(place of the seed, app, people shared, people asked), by people and by shelf."""
    parts = []
    for place, (app_id, category) in enumerate(seeds.items()):
        people = (
            select(Use.person_id)
            .where(Use.app_id == app_id, Use.person_id != person_id)
            .distinct()
            .limit(ASKED)
            .subquery()
        )
        shared = func.count(func.distinct(Use.person_id))
        mark = literal(place, Integer).label("place")
        by_people = (
            select(
                mark,
                Use.app_id.label("app_id"),  # type: ignore[attr-defined]  # a column, not its value
                shared.label("shared"),
                select(func.count()).select_from(people).scalar_subquery().label("asked"),
            )
            .join(people, people.c.person_id == col(Use.person_id))
            .where(col(Use.day) >= since, col(Use.app_id).not_in(used))
            .group_by(col(Use.app_id))
            .order_by(shared.desc(), col(Use.app_id))
            .limit(CANDIDATES)
            .subquery()
        )
        by_shelf = (
            select(mark, col(App.id).label("app_id"), literal(0, Integer), literal(0, Integer))
            .where(App.state == AppState.LISTED, App.category == category, col(App.id).not_in(used))
            .order_by(col(App.score).desc())
            .limit(CANDIDATES)
            .subquery()
        )
        parts += [by_people.select(), by_shelf.select()]
    return union_all(*parts)


def ranked(lead: Lead, apps: Mapping[AppId, App]) -> list[AppId]:
    """What fits because of one app, the best first.

    Args:
        apps: the listed ones of the candidates.
    """
    fits = []
    for candidate in lead.candidates:
        app = apps.get(candidate.app_id)
        if app is None:
            continue
        fit = ranking.likeness(
            candidate.shared,
            candidate.asked,
            app.people_count,
            is_same_shelf=app.category == lead.category,
            rating=app.rating_score,
        )
        if fit > 0:
            fits.append((-fit, -app.score, candidate.app_id))
    return [app_id for _fit, _score, app_id in sorted(fits)]
