"""Ratings: who may write one, what counts, and what others may do with it."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from marketplace.accounts.models import Account
from marketplace.catalog import queries_ratings, ratings, service, trust
from marketplace.catalog.models import (
    App,
    FlagVerdict,
    HelpfulVote,
    Rating,
    RatingFlag,
    RatingState,
    Release,
    ReleaseState,
)
from marketplace.catalog.ratings import Opinion
from marketplace.kernel.ids import AccountId, AppId, RatingId, new_id
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, make_listed, make_release


def nobody_bought(_session: Session, _person_id: AccountId, _app_id: AppId) -> bool:
    return False


def everybody_bought(_session: Session, _person_id: AccountId, _app_id: AppId) -> bool:
    return True


def user_of(session: Session, app: App) -> Account:
    """A person who has run the app."""
    person = make_account(session)
    service.count_run(session, AppId(app.id), AccountId(person.id), now=NOON)
    session.refresh(app)
    return person


def rate(
    session: Session,
    app: App,
    person: Account,
    stars: int = 5,
    words: str = "Good.",
    now: datetime = NOON,
) -> Rating:
    return ratings.rate(
        session,
        app,
        Opinion(stars, words, "en"),
        person_id=AccountId(person.id),
        has_bought=nobody_bought,
        now=now,
    )


def new_version(session: Session, app: App, version: str) -> None:
    release = make_release(session, app=app, version=version, state=ReleaseState.PUBLISHED)
    app.current_release_id = release.id


def test_only_who_has_run_or_bought_an_app_may_rate_it(session: Session) -> None:
    app, stranger = make_listed(session), make_account(session)
    with pytest.raises(ratings.NotUsed):
        rate(session, app, stranger)
    ratings.rate(
        session,
        app,
        Opinion(4, "", "en"),
        person_id=AccountId(stranger.id),
        has_bought=everybody_bought,
        now=NOON,
    )
    rate(session, app, user_of(session, app))
    assert (app.rating_count, app.rating_total) == (2, 9)


def test_nobody_rates_their_own_app(session: Session) -> None:
    app = make_listed(session)
    owner = session.get_one(Account, app.owner_id)
    with pytest.raises(ratings.OwnApp):
        rate(session, app, owner)
    assert not ratings.may_rate(session, app, AccountId(owner.id), everybody_bought)


def test_an_app_without_a_version_cannot_be_rated(session: Session) -> None:
    app = make_listed(session)
    person = user_of(session, app)
    app.current_release_id = None
    with pytest.raises(ratings.NoVersion):
        rate(session, app, person)


def test_a_second_rating_of_one_version_changes_the_first(session: Session) -> None:
    app = make_listed(session)
    person = user_of(session, app)
    first = rate(session, app, person, 2)
    again = rate(session, app, person, 4, "Better.", NOON + timedelta(days=1))
    assert again is first
    assert (app.rating_count, app.rating_total, first.words) == (1, 4, "Better.")


def test_a_rating_of_a_new_version_takes_the_place_of_the_old_one(session: Session) -> None:
    app = make_listed(session)
    person = user_of(session, app)
    old = rate(session, app, person, 1)
    new_version(session, app, "2.0.0")
    new = rate(session, app, person, 5)
    assert (old.version, old.is_current, new.version, new.is_current) == (
        "1.0.0",
        False,
        "2.0.0",
        True,
    )
    assert (app.rating_count, app.rating_total) == (1, 5)


def test_the_weight_of_an_app_follows_its_ratings_at_once(session: Session) -> None:
    app = make_listed(session)
    people = [user_of(session, app) for _ in range(3)]
    before = app.score
    rate(session, app, people[0], 1)
    rate(session, app, people[1], 1, now=NOON + timedelta(hours=2))
    assert app.rating_score < 3
    assert app.score > before  # three people came, though two of them did not like it


def test_a_burst_is_held_and_does_not_count(session: Session) -> None:
    app = make_listed(session)
    made = [
        rate(session, app, user_of(session, app), 1, now=NOON + timedelta(minutes=minute))
        for minute in range(trust.FEWEST_IN_A_BURST + 1)
    ]
    states = [rating.state for rating in made]
    assert states[: trust.FEWEST_IN_A_BURST - 1] == [RatingState.SHOWN] * 5
    assert states[trust.FEWEST_IN_A_BURST - 1 :] == [RatingState.HELD] * 2
    assert app.rating_count == 5
    assert made[-1].reason == ratings.HELD_BURST
    later = rate(session, app, user_of(session, app), 5, now=NOON + timedelta(days=2))
    assert later.state is RatingState.SHOWN


def test_a_vote_is_given_and_taken_back(session: Session) -> None:
    app = make_listed(session)
    writer, reader = user_of(session, app), make_account(session)
    rating = rate(session, app, writer)
    assert ratings.vote(session, rating.id, person_id=AccountId(reader.id)).helpful_count == 1
    assert ratings.vote(session, rating.id, person_id=AccountId(reader.id)).helpful_count == 0
    with pytest.raises(ratings.OwnRating):
        ratings.vote(session, rating.id, person_id=AccountId(writer.id))
    with pytest.raises(ratings.OwnApp):
        ratings.vote(session, rating.id, person_id=AccountId(app.owner_id))
    with pytest.raises(ratings.RatingNotFound):
        ratings.vote(session, RatingId(new_id()), person_id=AccountId(reader.id))


def flag(session: Session, rating: Rating, person: Account, now: datetime = NOON) -> Rating:
    return ratings.flag(session, rating.id, reporter_id=AccountId(person.id), kind="spam", now=now)


def test_flags_of_four_new_people_hold_a_rating_and_one_of_them_does_not(session: Session) -> None:
    app = make_listed(session)
    rating = rate(session, app, user_of(session, app))
    reporters = [make_account(session) for _ in range(4)]
    for reporter in (*reporters[:3], reporters[0]):
        assert flag(session, rating, reporter).state is RatingState.SHOWN
    assert flag(session, rating, reporters[3]).state is RatingState.HELD
    assert (app.rating_count, rating.reason) == (0, ratings.HELD_FLAGS)
    with pytest.raises(ratings.RatingNotFound):
        flag(session, rating, make_account(session))


def test_false_flags_cost_their_reporter_the_budget(session: Session) -> None:
    app, reporter = make_listed(session), make_account(session)
    for day in range(3):
        wrong = rate(session, app, user_of(session, app), now=NOON + timedelta(days=day))
        flag(session, wrong, reporter)
        ratings.decide(
            session, wrong.id, operator_id=AccountId(app.owner_id), removes=False, reason=""
        )
    another = rate(session, app, user_of(session, app), now=NOON + timedelta(days=4))
    with pytest.raises(ratings.FlagBudgetSpent, match="3 reviews this week") as refused:
        flag(session, another, reporter, NOON + timedelta(days=4))
    assert refused.value.retry_after_s == ratings.WEEK_S
    flag(session, another, reporter, NOON + timedelta(days=8))


def test_nobody_flags_their_own_rating(session: Session) -> None:
    app = make_listed(session)
    writer = user_of(session, app)
    with pytest.raises(ratings.OwnRating):
        flag(session, rate(session, app, writer), writer)


def test_a_removed_rating_leaves_the_count_and_tells_its_writer_why(session: Session) -> None:
    app = make_listed(session)
    writer = user_of(session, app)
    rating = rate(session, app, writer, 1)
    flag(session, rating, make_account(session))
    operator = AccountId(make_account(session, is_operator=True).id)
    with pytest.raises(ratings.NoReason):
        ratings.decide(session, rating.id, operator_id=operator, removes=True, reason="")
    ratings.decide(
        session, rating.id, operator_id=operator, removes=True, reason="It names a neighbour."
    )
    assert (app.rating_count, rating.decided_by) == (0, operator)
    [judged] = session.exec(select(RatingFlag)).all()
    assert judged.verdict is FlagVerdict.UPHELD
    shown = queries_ratings.ratings(
        session, app, person_id=AccountId(writer.id), has_bought=nobody_bought
    )
    assert shown.mine is not None
    assert (shown.mine.state, shown.mine.reason) == ("removed", "It names a neighbour.")
    with pytest.raises(ratings.RemovedRating):
        rate(session, app, writer, 1)
    new_version(session, app, "1.1.0")
    assert rate(session, app, writer, 2).state is RatingState.SHOWN


def test_keeping_a_held_rating_shows_it_again(session: Session) -> None:
    app = make_listed(session)
    rating = rate(session, app, user_of(session, app))
    for _ in range(4):
        flag(session, rating, make_account(session))
    ratings.decide(
        session, rating.id, operator_id=AccountId(app.owner_id), removes=False, reason=""
    )
    assert (rating.state, rating.reason, app.rating_count) == (RatingState.SHOWN, "", 1)
    assert flag(session, rating, make_account(session)).state is RatingState.SHOWN


def test_only_the_developer_replies(session: Session) -> None:
    app = make_listed(session)
    rating = rate(session, app, user_of(session, app), 2)
    with pytest.raises(ratings.NotYourReply):
        ratings.reply(session, rating.id, developer_id=AccountId(new_id()), words="Hm.", now=NOON)
    owner = AccountId(app.owner_id)
    ratings.reply(session, rating.id, developer_id=owner, words="We work on it.", now=NOON)
    assert (rating.reply, rating.replied_at) == ("We work on it.", NOON)
    ratings.reply(session, rating.id, developer_id=owner, words="", now=NOON)
    assert (rating.reply, rating.replied_at) == ("", None)


def test_taking_a_rating_back_leaves_nothing_of_it(session: Session) -> None:
    app = make_listed(session)
    writer, reader = user_of(session, app), make_account(session)
    rating = rate(session, app, writer)
    ratings.vote(session, rating.id, person_id=AccountId(reader.id))
    ratings.withdraw(session, app, person_id=AccountId(writer.id))
    session.flush()
    for table in (Rating, HelpfulVote, RatingFlag):
        assert session.exec(select(table)).all() == []
    assert app.rating_count == 0


def test_nobody_gets_round_flags_or_a_removal_by_taking_the_rating_back(session: Session) -> None:
    app, operator = make_listed(session), AccountId(make_account(session).id)
    flagged, removed = user_of(session, app), user_of(session, app)
    first, second = rate(session, app, flagged), rate(session, app, removed)
    flag(session, first, make_account(session))
    ratings.decide(session, second.id, operator_id=operator, removes=True, reason="An insult.")
    for writer in (flagged, removed):
        ratings.withdraw(session, app, person_id=AccountId(writer.id))
    assert app.rating_count == 0
    assert {(each.words, each.is_current) for each in (first, second)} == {("", False)}
    assert rate(session, app, flagged, words="Good again.").id == first.id
    assert len(session.exec(select(RatingFlag)).all()) == 1
    with pytest.raises(ratings.RemovedRating):
        rate(session, app, removed)


def test_reviews_come_most_helpful_first_and_by_their_stars(session: Session) -> None:
    app = make_listed(session)
    for number, stars in enumerate((5, 3, 5, 1)):
        made = rate(
            session,
            app,
            user_of(session, app),
            stars,
            f"Review {number}" if number != 3 else "",
            NOON + timedelta(hours=3 * number),
        )
        made.helpful_count = 9 if number == 1 else 0

    def words(stars: int) -> list[str]:
        page = queries_ratings.reviews_page(
            session,
            app.ident,
            person_id=None,
            has_bought=nobody_bought,
            number=1,
            stars=stars,
            locale="en",
        )
        assert page.shown.total == len(page.shown.items)
        return [review.words for review in page.shown.items]

    assert words(0) == ["Review 1", "Review 2", "Review 0"]
    assert words(5) == ["Review 2", "Review 0"]
    shown = queries_ratings.ratings(session, app, person_id=None, has_bought=nobody_bought)
    assert shown.histogram == [(5, 2), (4, 0), (3, 1), (2, 0), (1, 1)]
    assert shown.average == 3.5


def test_what_is_held_or_flagged_waits_for_an_operator(session: Session) -> None:
    app = make_listed(session)
    fine = rate(session, app, user_of(session, app), words="Fine.")
    flagged = rate(
        session, app, user_of(session, app), words="Flagged.", now=NOON + timedelta(hours=3)
    )
    flag(session, flagged, make_account(session))
    held = rate(session, app, user_of(session, app), words="Held.", now=NOON + timedelta(hours=6))
    held.state, held.reason = RatingState.HELD, ratings.HELD_BURST
    session.flush()  # the query reads the row
    waiting = queries_ratings.waiting(session, locale="en")
    assert [row.review.words for row in waiting] == ["Flagged.", "Held."]
    assert waiting[0].flags == ["Advertising or spam"]
    assert fine.id not in {row.review.id for row in waiting}


def test_a_release_of_the_wrong_state_is_not_what_is_rated(session: Session) -> None:
    app = make_listed(session)
    present = session.get_one(Release, app.current_release_id)
    make_release(session, app=app, version="9.0.0", state=ReleaseState.REJECTED)
    assert rate(session, app, user_of(session, app)).version == present.version
