"""Ratings and reviews: who may write one, what others may do with it, and who decides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, update
from sqlmodel import Session, col, delete, select

from marketplace.catalog import standings, trust
from marketplace.catalog.models import (
    App,
    FlagVerdict,
    HelpfulVote,
    Rating,
    RatingFlag,
    RatingState,
    Release,
    Use,
)
from marketplace.kernel.errors import Conflict, Forbidden, Invalid, Limited, NotFound
from marketplace.kernel.ids import AccountId, AppId, RatingId
from marketplace.kernel.words import noted
from marketplace.web.i18n import gettext as _

# Whether a person has paid for something of an app; purchases live on a higher floor.
HasBought = Callable[[Session, AccountId, AppId], bool]

WEEK_S = 7 * 24 * 3600
FLAG_KINDS: Mapping[str, str] = {
    "spam": noted("Advertising or spam"),
    "abuse": noted("Insults or hatred"),
    "private": noted("Shows somebody's private data"),
    "off-topic": noted("Not about this app"),
}
HELD_BURST = noted(
    "Many ratings came within an hour, so this one is read by a person before it is shown."
)
HELD_FLAGS = noted("Several people have flagged this, so a person reads it before it is shown.")


class NotUsed(Forbidden):
    """Only who has run or bought an app may rate it."""


class OwnApp(Forbidden):
    """Nobody rates an app of their own, or says which of its reviews help."""


class NoVersion(Conflict):
    """The app has no published version that could be rated."""


class RemovedRating(Conflict):
    """A rating that was removed is not rewritten for the same version."""


class RatingNotFound(NotFound):
    """No rating that this person may see has this id."""


class OwnRating(Forbidden):
    """Nobody votes on or flags a rating of their own."""


class NotYourReply(Forbidden):
    """Only an app's developer replies to its ratings."""


class FlagBudgetSpent(Limited):
    """This person has flagged as much as one with their record may in a week."""


class NoReason(Invalid):
    """A rating is not removed without a reason for its writer."""


def may_rate(session: Session, app: App, person_id: AccountId, has_bought: HasBought) -> bool:
    """Whether this person has really used the app, and it is not theirs."""
    if app.owner_id == person_id:
        return False
    used = select(Use.times).where(Use.app_id == app.id, Use.person_id == person_id).limit(1)
    return session.exec(used).first() is not None or has_bought(session, person_id, app.id)


@dataclass(frozen=True)
class Opinion:
    """What a person says.

    Args:
        stars: 1 to 5.
        words: what they add to the stars, or "".
        locale: the language they read the store in.
    """

    stars: int
    words: str
    locale: str


def rate(
    session: Session,
    app: App,
    opinion: Opinion,
    *,
    person_id: AccountId,
    has_bought: HasBought,
    now: datetime,
) -> Rating:
    """Give the app's present version a rating, or change the one given before.

    Raises: OwnApp, NotUsed, NoVersion, RemovedRating.
    Effects: an earlier version's rating of the same person no longer counts; one that comes in
        a burst is held.
    """
    if app.owner_id == person_id:
        raise OwnApp(_("You cannot rate an app of your own."))
    if not may_rate(session, app, person_id, has_bought):
        raise NotUsed(_("Run this app once before you rate it; its form is on this page."))
    release = session.get(Release, app.current_release_id) if app.current_release_id else None
    if release is None:
        raise NoVersion(_("This app has no published version to rate."))
    # The row's lock makes two ratings of one app come one after the other.
    session.exec(select(App.id).where(App.id == app.id).with_for_update()).one()
    theirs = session.exec(
        select(Rating).where(Rating.app_id == app.id, Rating.person_id == person_id)
    ).all()
    rating = next((each for each in theirs if each.version == release.version), None)
    if rating is None:
        is_burst = _is_burst(session, app.id, now=now)
        rating = Rating(
            app_id=app.id,
            person_id=person_id,
            version=release.version,
            stars=opinion.stars,
            created_at=now,
            changed_at=now,
        )
        session.add(rating)
        if is_burst:
            rating.state, rating.reason = RatingState.HELD, HELD_BURST
    elif rating.state is RatingState.REMOVED:
        raise RemovedRating(_("Your rating of this version was removed. Rate the next version."))
    rating.stars, rating.words, rating.locale = opinion.stars, opinion.words, opinion.locale
    rating.changed_at = now
    for each in theirs:
        each.is_current = each is rating
    recount(session, app)
    return rating


def _is_burst(session: Session, app_id: AppId, *, now: datetime) -> bool:
    window = now - timedelta(hours=trust.WINDOW_HOURS)
    usual = window - timedelta(days=trust.USUAL_DAYS)
    is_recent = col(Rating.changed_at) > window
    recent, before = session.exec(
        select(
            func.sum(case((is_recent, 1), else_=0)), func.sum(case((is_recent, 0), else_=1))
        ).where(Rating.app_id == app_id, Rating.changed_at > usual)
    ).one()
    return trust.is_burst((recent or 0) + 1, before or 0)


def recount(session: Session, app: App) -> None:
    """Count an app's ratings anew: those that are shown, one of each person."""
    session.flush()  # the ratings must be in the transaction to be counted
    count, total = session.exec(
        select(func.count(), func.coalesce(func.sum(Rating.stars), 0)).where(
            Rating.app_id == app.id, col(Rating.is_current), Rating.state == RatingState.SHOWN
        )
    ).one()
    app.rating_count, app.rating_total = count, total
    standings.settle(app, average=standings.store_average(session))


def _shown(session: Session, rating_id: RatingId) -> Rating:
    rating = session.get(Rating, rating_id, with_for_update=True)
    if rating is None or rating.state is not RatingState.SHOWN:
        raise RatingNotFound(_("This review is no longer there."))
    return rating


def vote(session: Session, rating_id: RatingId, *, person_id: AccountId) -> Rating:
    """Say that a rating helped, or take that back. Raises: RatingNotFound, OwnRating, OwnApp."""
    rating = _shown(session, rating_id)
    if rating.person_id == person_id:
        raise OwnRating(_("Others decide whether your review helps."))
    if session.get_one(App, rating.app_id).owner_id == person_id:
        raise OwnApp(_("The people who use your app decide which of its reviews help."))
    given = session.get(HelpfulVote, (rating_id, person_id))
    if given is None:
        session.add(HelpfulVote(rating_id=rating_id, person_id=person_id))
    else:
        session.delete(given)
    rating.helpful_count += 1 if given is None else -1
    return rating


def flag(
    session: Session, rating_id: RatingId, *, reporter_id: AccountId, kind: str, now: datetime
) -> Rating:
    """Say that a rating should not be shown. A second flag of the same person changes nothing.

    Raises: RatingNotFound, OwnRating, FlagBudgetSpent.
    Effects: with enough flags of people who are mostly right it is held until it is read.
    """
    rating = _shown(session, rating_id)
    if rating.person_id == reporter_id:
        raise OwnRating(_("You can change your own review instead of flagging it."))
    if session.get(RatingFlag, (rating_id, reporter_id)) is not None:
        return rating
    upheld, rejected = _records(session, [reporter_id]).get(reporter_id, (0, 0))
    budget = trust.flags_a_week(upheld, rejected)
    spent = session.exec(
        select(func.count())
        .select_from(RatingFlag)
        .where(
            RatingFlag.reporter_id == reporter_id,
            RatingFlag.created_at > now - timedelta(seconds=WEEK_S),
        )
    ).one()
    if spent >= budget:
        raise FlagBudgetSpent(
            _("You have flagged %(n)s reviews this week; that is as many as you may.", n=spent),
            retry_after_s=WEEK_S,
        )
    session.add(RatingFlag(rating_id=rating_id, reporter_id=reporter_id, kind=kind, created_at=now))
    session.flush()  # the new flag weighs with the others
    if trust.is_held(_weights(session, rating_id)):
        _move(session, rating, RatingState.HELD, HELD_FLAGS)
    return rating


def _records(session: Session, reporters: list[AccountId]) -> dict[AccountId, tuple[int, int]]:
    """Reporter → how many of their flags were upheld, and how many rejected."""
    rows = session.exec(
        select(
            RatingFlag.reporter_id,
            func.sum(case((col(RatingFlag.verdict) == FlagVerdict.UPHELD, 1), else_=0)),
            func.sum(case((col(RatingFlag.verdict) == FlagVerdict.REJECTED, 1), else_=0)),
        )
        .where(col(RatingFlag.reporter_id).in_(reporters))
        .group_by(col(RatingFlag.reporter_id))
    ).all()
    return {AccountId(reporter): (upheld, rejected) for reporter, upheld, rejected in rows}


def _weights(session: Session, rating_id: RatingId) -> list[float]:
    reporters = session.exec(
        select(RatingFlag.reporter_id).where(
            RatingFlag.rating_id == rating_id, RatingFlag.verdict == FlagVerdict.OPEN
        )
    ).all()
    return [
        trust.accuracy(*record)
        for record in _records(session, [*map(AccountId, reporters)]).values()
    ]


def _move(session: Session, rating: Rating, state: RatingState, reason: str) -> None:
    rating.state, rating.reason = state, reason
    recount(session, session.get_one(App, rating.app_id, with_for_update=True))


def reply(
    session: Session, rating_id: RatingId, *, developer_id: AccountId, words: str, now: datetime
) -> Rating:
    """Answer a rating as the app's developer; an empty answer takes the earlier one back.

    Raises: RatingNotFound, NotYourReply.
    """
    rating = _shown(session, rating_id)
    if session.get_one(App, rating.app_id).owner_id != developer_id:
        raise NotYourReply(_("Only the developer of this app may reply to its reviews."))
    rating.reply, rating.replied_at = words, now if words else None
    return rating


def decide(
    session: Session, rating_id: RatingId, *, operator_id: AccountId, removes: bool, reason: str
) -> Rating:
    """Keep or remove a rating, on an operator's word; the open flags on it are judged by it.

    Args:
        reason: for the writer, when it is removed.
    Raises: RatingNotFound, NoReason.
    """
    rating = session.get(Rating, rating_id, with_for_update=True)
    if rating is None:
        raise RatingNotFound(_("This review is no longer there."))
    if removes and not reason:
        raise NoReason(_("Write one sentence that tells its writer why it is removed."))
    verdict = FlagVerdict.UPHELD if removes else FlagVerdict.REJECTED
    session.exec(
        update(RatingFlag)
        .where(col(RatingFlag.rating_id) == rating_id, col(RatingFlag.verdict) == FlagVerdict.OPEN)
        .values(verdict=verdict)
    )
    rating.decided_by = operator_id
    state = RatingState.REMOVED if removes else RatingState.SHOWN
    _move(session, rating, state, reason if removes else "")
    return rating


def withdraw(session: Session, app: App, *, person_id: AccountId) -> None:
    """Take back everything a person said about an app, with the votes and flags on it.

    Of a rating that was held, removed or flagged the words go and the rest stays unseen: who
    wrote it anew would otherwise have got round what others said of it.
    """
    theirs = session.exec(
        select(Rating).where(Rating.app_id == app.id, Rating.person_id == person_id)
    ).all()
    flagged = session.exec(
        select(RatingFlag.rating_id).where(
            col(RatingFlag.rating_id).in_([rating.id for rating in theirs])
        )
    ).all()
    for rating in theirs:
        session.exec(delete(HelpfulVote).where(col(HelpfulVote.rating_id) == rating.id))
        if rating.state is RatingState.SHOWN and rating.id not in flagged:
            session.delete(rating)
        else:
            rating.words, rating.reply, rating.replied_at = "", "", None
            rating.is_current, rating.helpful_count = False, 0
    recount(session, app)


def forget_writer(session: Session, app: App, *, person_id: AccountId) -> None:
    """Erase everything a person who leaves the store said about an app, whatever became of it."""
    theirs = select(Rating.id).where(Rating.app_id == app.id, Rating.person_id == person_id)
    for table in (HelpfulVote, RatingFlag):
        session.exec(delete(table).where(col(table.rating_id).in_(theirs)))
    session.exec(
        delete(Rating).where(col(Rating.app_id) == app.id, col(Rating.person_id) == person_id)
    )
    recount(session, app)
