"""What the catalogue has to say, and to do, when a person leaves the store."""

from collections.abc import Sequence

from sqlalchemy import func, update
from sqlmodel import Session, col, delete, select

from marketplace.accounts.closing import Hindrance
from marketplace.catalog import ratings
from marketplace.catalog.models import App, AppState, HelpfulVote, Rating
from marketplace.infra.db import Database
from marketplace.kernel.ids import AccountId
from marketplace.web.i18n import gettext as _
from marketplace.web.i18n import ngettext


def hindrances(session: Session, person_id: AccountId) -> Sequence[Hindrance]:
    """Their apps in the store: somebody must answer for what people run."""
    count = session.exec(
        select(func.count())
        .select_from(App)
        .where(App.owner_id == person_id, App.state == AppState.LISTED)
    ).one()
    if not count:
        return ()
    message = ngettext(
        "You have %(num)s app in the store. Take it out of the store first.",
        "You have %(num)s apps in the store. Take them out of the store first.",
        count,
    )
    return (Hindrance(message, _("To your apps"), "/portal/"),)


def farewell(database: Database, person_id: AccountId) -> bool:
    """Take back their votes and ratings, so that every count is right without them."""
    with database.writing() as session:
        voted = select(HelpfulVote.rating_id).where(HelpfulVote.person_id == person_id)
        session.exec(
            update(Rating)
            .where(col(Rating.id).in_(voted))
            .values(helpful_count=col(Rating.helpful_count) - 1)
        )
        session.exec(delete(HelpfulVote).where(col(HelpfulVote.person_id) == person_id))
        rated = select(Rating.app_id).where(Rating.person_id == person_id)
        for app in session.exec(select(App).where(col(App.id).in_(rated))).all():
            ratings.forget_writer(session, app, person_id=person_id)
    return True
