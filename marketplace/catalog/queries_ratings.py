"""Reads of ratings and reviews."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from marketplace.accounts.models import Account
from marketplace.catalog import queries
from marketplace.catalog.models import (
    App,
    FlagVerdict,
    HelpfulVote,
    Rating,
    RatingFlag,
    RatingState,
)
from marketplace.catalog.pages import Ratings, Review, ReviewsPage, WaitingReview
from marketplace.catalog.ranking import BEST, WORST
from marketplace.catalog.ratings import FLAG_KINDS, HasBought, may_rate
from marketplace.kernel.ids import AccountId, AppId
from marketplace.kernel.paging import Page
from marketplace.web.i18n import gettext as _

FIRST_REVIEWS = 3
REVIEWS_A_PAGE = 20
WAITING_SHOWN = 50


def _counts(app_id: AppId) -> list[ColumnElement[bool]]:
    return [
        col(Rating.app_id) == app_id,
        col(Rating.is_current).is_(True),
        col(Rating.state) == RatingState.SHOWN,
    ]


def ratings(
    session: Session, app: App, *, person_id: AccountId | None, has_bought: HasBought
) -> Ratings:
    """What an app's page says of its ratings: the stars, and the reviews that helped most."""
    stars = dict(
        session.exec(
            select(Rating.stars, func.count()).where(*_counts(app.id)).group_by(col(Rating.stars))
        ).all()
    )
    count = sum(stars.values())
    mine = _mine(session, app, person_id)
    return Ratings(
        average=sum(value * number for value, number in stars.items()) / count if count else None,
        count=count,
        histogram=[(value, stars.get(value, 0)) for value in range(BEST, WORST - 1, -1)],
        reviews=_reviews(session, app, person_id, number=1, size=FIRST_REVIEWS, stars=0),
        mine=mine,
        may_rate=person_id is not None and may_rate(session, app, person_id, has_bought),
        may_reply=person_id == app.owner_id,
    )


def reviews_page(
    session: Session,
    ident: str,
    *,
    person_id: AccountId | None,
    has_bought: HasBought,
    number: int,
    stars: int,
    locale: str,
) -> ReviewsPage:
    """Every review of an app that has words, those that helped most first.

    Args:
        stars: only reviews with so many, or 0 for all.
    Raises: AppNotFound.
    """
    app = queries.app_by_ident(session, ident)
    wanted = [*_counts(app.id), col(Rating.words) != ""]
    if stars:
        wanted.append(col(Rating.stars) == stars)
    total = session.exec(select(func.count()).select_from(Rating).where(*wanted)).one()
    return ReviewsPage(
        app=app,
        name=queries.names(session, [app.id], locale=locale)[app.id],
        ratings=ratings(session, app, person_id=person_id, has_bought=has_bought),
        shown=Page(
            _reviews(session, app, person_id, number=number, size=REVIEWS_A_PAGE, stars=stars),
            number,
            REVIEWS_A_PAGE,
            total,
        ),
        stars=stars,
    )


def _reviews(
    session: Session, app: App, person_id: AccountId | None, *, number: int, size: int, stars: int
) -> list[Review]:
    wanted = (
        select(Rating, Account.name)
        .join(Account, col(Account.id) == col(Rating.person_id))
        .where(*_counts(app.id), Rating.words != "")
        .order_by(col(Rating.helpful_count).desc(), col(Rating.changed_at).desc())
        .offset((number - 1) * size)
        .limit(size)
    )
    found = session.exec(wanted.where(Rating.stars == stars) if stars else wanted).all()
    helped = _helped(session, person_id, [rating.id for rating, _name in found])
    return [
        _review(rating, name, person_id=person_id, has_my_vote=rating.id in helped)
        for rating, name in found
    ]


def _helped(session: Session, person_id: AccountId | None, ids: Sequence[UUID]) -> set[UUID]:
    if person_id is None or not ids:
        return set()
    return set(
        session.exec(
            select(HelpfulVote.rating_id).where(
                HelpfulVote.person_id == person_id, col(HelpfulVote.rating_id).in_(ids)
            )
        ).all()
    )


def _mine(session: Session, app: App, person_id: AccountId | None) -> Review | None:
    if person_id is None:
        return None
    found = session.exec(
        select(Rating).where(
            Rating.app_id == app.id, Rating.person_id == person_id, col(Rating.is_current)
        )
    ).first()
    return _review(found, "", person_id=person_id) if found else None


def _review(
    rating: Rating, author: str, *, person_id: AccountId | None, has_my_vote: bool = False
) -> Review:
    return Review(
        id=rating.id,
        author=author,
        stars=rating.stars,
        words=rating.words,
        locale=rating.locale,
        version=rating.version,
        written_at=rating.changed_at,
        helpful_count=rating.helpful_count,
        reply=rating.reply,
        state=rating.state.value,
        # Held ones have a sentence of the store; an operator's words stay as they were written.
        reason=_(rating.reason) if rating.reason else "",
        is_mine=rating.person_id == person_id,
        has_my_vote=has_my_vote,
    )


def waiting(session: Session, *, locale: str) -> list[WaitingReview]:
    """Reviews an operator should read, the oldest first: held ones, and those with open flags."""
    flagged = select(RatingFlag.rating_id).where(RatingFlag.verdict == FlagVerdict.OPEN)
    found = session.exec(
        select(Rating, Account.name, App)
        .join(Account, col(Account.id) == col(Rating.person_id))
        .join(App, col(App.id) == col(Rating.app_id))
        .where(
            (col(Rating.state) == RatingState.HELD)
            | ((col(Rating.state) == RatingState.SHOWN) & col(Rating.id).in_(flagged))
        )
        .order_by(col(Rating.changed_at))
        .limit(WAITING_SHOWN)
    ).all()
    kinds: dict[UUID, list[str]] = {}
    for flag in session.exec(
        select(RatingFlag).where(
            col(RatingFlag.rating_id).in_([rating.id for rating, _name, _app in found]),
            RatingFlag.verdict == FlagVerdict.OPEN,
        )
    ).all():
        kinds.setdefault(flag.rating_id, []).append(_(FLAG_KINDS[flag.kind]))
    names = queries.names(session, [app.id for _rating, _name, app in found], locale=locale)
    return [
        WaitingReview(
            review=_review(rating, name, person_id=None),
            app_ident=app.ident,
            app_name=names[app.id],
            flags=kinds.get(rating.id, []),
        )
        for rating, name, app in found
    ]
