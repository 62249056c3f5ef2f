"""A person's verdict: who may give it, from which states, and what happens next."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from marketplace.accounts.service import house_account
from marketplace.catalog.models import (
    NEXT_STATES,
    App,
    AppState,
    IllegalMove,
    ListingText,
    Product,
    ReleaseState,
)
from marketplace.inference.jobs import FORGET_RELEASE
from marketplace.infra.jobs import Job
from marketplace.kernel.ids import AccountId, ReleaseId, new_id
from marketplace.review import service
from tests.factories.accounts import make_account
from tests.factories.catalog import (
    NOON,
    found_by,
    make_app,
    make_product,
    make_release,
    manifest_of,
)

REVIEWER = AccountId(new_id())
LATER = NOON + timedelta(days=1)
UNAPPROVABLE = [s for s in ReleaseState if ReleaseState.PUBLISHED not in NEXT_STATES[s]]
UNREJECTABLE = [s for s in ReleaseState if ReleaseState.REJECTED not in NEXT_STATES[s]]
WHOLE = {
    "id": "whole",
    "kind": "one_time",
    "name": "Everything",
    "price": "9.50",
    "currency": "EUR",
    "unlocks": "app",
}


def approve(session: Session, release_id: ReleaseId, reviewer_id: AccountId = REVIEWER) -> App:
    release = service.approve(session, release_id, reviewer_id=reviewer_id, now=LATER)
    return session.get_one(App, release.app_id)


def test_approving_puts_the_release_into_the_store(session: Session) -> None:
    release = make_release(
        session,
        icon_key="1" * 64,
        listings={"ar": {"name": "صدى", "summary": "يعيد ما قلته.", "description": "يعيد."}},
    )
    release.manifest = manifest_of(
        "tests.any", "1.0.0", app={"name": "Fresh name", "age": 7}, product=[WHOLE]
    )
    app = approve(session, release.id)
    assert (release.state, release.state_changed_at) == (ReleaseState.PUBLISHED, LATER)
    assert release.decided_by == REVIEWER
    assert (app.name, app.age, app.state) == ("Fresh name", 7, AppState.LISTED)
    assert (app.current_release_id, app.published_at) == (release.id, LATER)
    assert (app.icon_key, app.icon_type) == ("1" * 64, "image/svg+xml")
    assert found_by(session, "fresh") == found_by(session, "صدى") == [app.id]
    [product] = session.exec(select(Product)).all()
    assert (product.name, product.price_micros, product.currency) == (
        "Everything",
        9_500_000,
        "EUR",
    )


def test_a_new_version_renews_texts_and_products_and_keeps_what_was_bought(
    session: Session,
) -> None:
    app = make_app(session, published_at=NOON)
    whole, extra = make_product(session, app), make_product(session, app, key="extra")
    session.add(ListingText(app_id=app.id, locale="fr", name="Écho", summary="Redit tout."))
    texts = {"ar": {"name": "صدى", "summary": "يعيد ما قلته.", "description": "يعيد."}}
    release = make_release(session, app=app, version="2.0.0", listings=texts)
    release.manifest = manifest_of(app.ident, "2.0.0", product=[WHOLE])
    approve(session, release.id)
    session.flush()  # what follows asks the database
    assert (whole.price_micros, whole.active) == (9_500_000, True)
    assert extra.active is False
    assert [text.locale for text in session.exec(select(ListingText)).all()] == ["ar"]
    assert app.published_at == NOON


def test_a_new_version_has_the_engine_forget_the_one_before(session: Session) -> None:
    app = make_app(session)
    for version in ("1.0.0", "1.1.0", "1.0.1"):
        release = make_release(session, app=app, version=version)
        release.manifest = manifest_of(app.ident, version)
        approve(session, release.id)
    told = session.exec(select(Job).where(Job.name == FORGET_RELEASE)).all()
    assert [job.payload for job in told] == [{"release": f"{app.ident}@1.0.0"}]


def test_an_older_version_that_is_approved_late_does_not_go_back(session: Session) -> None:
    app = make_app(session, name="Old name")
    newer = make_release(session, app=app, version="1.10.0")
    older = make_release(session, app=app, version="1.9.0")
    older.manifest = manifest_of(app.ident, "1.9.0", app={"name": "Older name"})
    newer.manifest = manifest_of(app.ident, "1.10.0", app={"name": "Newer name"})
    approve(session, newer.id)
    approve(session, older.id)
    assert older.state is ReleaseState.PUBLISHED
    assert (app.name, app.current_release_id) == ("Newer name", newer.id)


def test_a_blocked_app_stays_blocked(session: Session) -> None:
    app = make_app(session, state=AppState.BLOCKED)
    approve(session, make_release(session, app=app).id)
    assert app.state is AppState.BLOCKED
    assert found_by(session, app.name) == []


@pytest.mark.parametrize("state", UNAPPROVABLE)
def test_approving_from_any_other_state_changes_nothing(
    session: Session, state: ReleaseState
) -> None:
    release = make_release(session, state=state)
    with pytest.raises(IllegalMove, match=f"that is {state} cannot become published"):
        approve(session, release.id)
    app = session.get_one(App, release.app_id)
    assert (release.state, app.state, app.current_release_id) == (state, AppState.HIDDEN, None)


@pytest.mark.parametrize("state", UNREJECTABLE)
def test_rejecting_what_is_decided_changes_nothing(session: Session, state: ReleaseState) -> None:
    release = make_release(session, state=state)
    with pytest.raises(IllegalMove):
        service.reject(session, release.id, reviewer_id=REVIEWER, reason="No.", now=LATER)
    assert (release.state, release.verdict) == (state, "")


def test_rejecting_tells_the_developer_why(session: Session) -> None:
    release = make_release(session)
    service.reject(session, release.id, reviewer_id=REVIEWER, reason="  Too loud. ", now=LATER)
    assert (release.state, release.verdict, release.decided_by) == (
        ReleaseState.REJECTED,
        "Too loud.",
        REVIEWER,
    )


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_rejecting_without_a_reason_is_refused(session: Session, reason: str) -> None:
    release = make_release(session)
    with pytest.raises(service.NoReason) as caught:
        service.reject(session, release.id, reviewer_id=REVIEWER, reason=reason, now=LATER)
    assert "reason" in caught.value.fields
    assert release.state is ReleaseState.IN_REVIEW


def test_a_reviewer_cannot_approve_their_own_release_where_another_can(session: Session) -> None:
    me = make_account(session, is_developer=True, is_operator=True)
    make_account(session, is_operator=True)
    release = make_release(session, app=make_app(session, owner=me))
    with pytest.raises(service.OwnRelease):
        approve(session, release.id, AccountId(me.id))
    assert release.state is ReleaseState.IN_REVIEW


@pytest.mark.parametrize("gone", [{"is_closed": True}, {"password_hash": None}])
def test_the_only_operator_may_approve_their_own_release(
    session: Session, gone: dict[str, object]
) -> None:
    me = make_account(session, is_developer=True, is_operator=True)
    house_account(session, now=NOON)
    make_account(session, is_operator=True, **gone)
    release = make_release(session, app=make_app(session, owner=me))
    approve(session, release.id, AccountId(me.id))
    assert (release.state, release.decided_by) == (ReleaseState.PUBLISHED, me.id)


def test_a_release_nobody_knows_is_not_found(session: Session) -> None:
    with pytest.raises(service.ReleaseNotFound):
        approve(session, ReleaseId(new_id()))
