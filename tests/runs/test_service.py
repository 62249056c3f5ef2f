"""Starting a run: what must be true before it may be queued."""

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from marketplace.billing.models import OrderState
from marketplace.catalog.models import App, Release, ReleaseState
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.kernel.ids import AccountId, RunId, new_id
from marketplace.runs import consent, service
from marketplace.runs.models import NEXT_STATES, Consent, IllegalMove, Run, RunState
from marketplace.runs.settings import RunSettings
from tests.factories.accounts import NOON, make_account
from tests.factories.billing import make_order
from tests.factories.catalog import make_app, make_product, make_release
from tests.factories.rivals import refusal_of_the_second
from tests.factories.runs import EVERY_PERMISSION, VAULT, make_run, make_runnable


@pytest.fixture
def app(session: Session, tmp_path: Path) -> App:
    return make_runnable(session, Blobs(tmp_path))


@pytest.fixture
def person(session: Session) -> AccountId:
    return make_account(session).id


def start(session: Session, app: App, person_id: AccountId, **given: Any) -> Run:
    values: dict[str, Any] = {
        "action": "go",
        "values": {"text": "salam"},
        "allowed": EVERY_PERMISSION,
        "locale": "ar",
        "settings": RunSettings(at_once_per_person=2),
        "vault": VAULT,
        "executor": "host-1-abc",
        "now": NOON,
        **given,
    }
    return service.start(session, app, person_id=person_id, **values)


def test_a_run_is_queued_with_what_was_asked(session: Session, app: App, person: AccountId) -> None:
    run = start(session, app, person)
    assert (run.state, run.input, run.locale) == (RunState.QUEUED, {"text": "salam"}, "ar")
    assert (run.release_id, run.executor) == (app.current_release_id, "host-1-abc")
    assert run.price_micros == 0


def test_an_app_without_a_published_version_cannot_run(session: Session, person: AccountId) -> None:
    with pytest.raises(service.NothingToRun, match="no published version"):
        start(session, make_app(session), person)


def test_an_action_the_app_does_not_have_cannot_run(
    session: Session, app: App, person: AccountId
) -> None:
    with pytest.raises(service.NothingToRun, match="no such action"):
        start(session, app, person, action="fly")


def test_an_app_that_must_be_bought_refuses_until_it_is(
    session: Session, app: App, person: AccountId
) -> None:
    product = make_product(session, app)
    with pytest.raises(service.NotBought, match="Buy this app first"):
        start(session, app, person)
    make_order(session, product=product, buyer_id=person, state=OrderState.PAID)
    assert start(session, app, person).state is RunState.QUEUED


def test_an_app_that_was_refunded_refuses_again(
    session: Session, app: App, person: AccountId
) -> None:
    product = make_product(session, app)
    make_order(session, product=product, buyer_id=person, state=OrderState.REFUNDED)
    with pytest.raises(service.NotBought):
        start(session, app, person)


def test_a_developer_runs_their_own_paid_app(session: Session, app: App) -> None:
    make_product(session, app)
    assert start(session, app, app.owner_id).state is RunState.QUEUED


def test_values_that_do_not_fit_are_named_field_by_field(
    session: Session, app: App, person: AccountId
) -> None:
    with pytest.raises(service.BadInput) as refused:
        start(session, app, person, values={"text": "x" * 21})
    assert refused.value.fields == {"text": "This is 21 characters long; 20 is the most."}
    assert session.exec(select(Run)).all() == []


def test_a_person_has_only_so_many_runs_at_once(
    session: Session, app: App, person: AccountId
) -> None:
    start(session, app, person)
    second = start(session, app, person)
    with pytest.raises(service.TooManyRuns, match="You have 2 runs going") as refused:
        start(session, app, person)
    assert refused.value.retry_after_s > 0
    assert start(session, app, make_account(session).id).state is RunState.QUEUED
    second.move_to(RunState.STOPPED, now=NOON)
    assert start(session, app, person).state is RunState.QUEUED


def test_runs_that_are_started_together_are_counted_too(
    empty_database: Database, tmp_path: Path
) -> None:
    with empty_database.writing() as session:
        app, person_id = make_runnable(session, Blobs(tmp_path)), make_account(session).id
    one = RunSettings(at_once_per_person=1)
    refusal = refusal_of_the_second(
        empty_database, lambda session: start(session, app, person_id, settings=one)
    )
    assert isinstance(refusal, service.TooManyRuns)


def test_a_run_belongs_to_its_person_alone(session: Session, app: App, person: AccountId) -> None:
    run = start(session, app, person)
    session.flush()  # it is read back by its id
    assert service.own(session, run.id, person_id=person) is run
    for run_id, somebody in [(run.id, make_account(session).id), (RunId(new_id()), person)]:
        with pytest.raises(service.RunNotFound):
            service.own(session, run_id, person_id=somebody)


@pytest.mark.parametrize("state", RunState)
def test_a_run_moves_only_where_it_may(session: Session, app: App, state: RunState) -> None:
    run = make_run(session, app, state=state)
    for target in RunState:
        run.state = state
        if target in NEXT_STATES[state]:
            run.move_to(target, now=NOON)
            assert run.state is target
        else:
            with pytest.raises(IllegalMove, match=f"that is {state} cannot become {target}"):
                run.move_to(target, now=NOON)


def make_newer(session: Session, app: App, **manifest: Any) -> None:
    """A release of the app that asks for what `manifest` says, live at once."""
    old = session.get_one(Release, app.current_release_id)
    newer = make_release(
        session,
        app=app,
        version="2.0.0",
        state=ReleaseState.PUBLISHED,
        actions=old.actions,
        manifest={**old.manifest, **manifest},
        code_key=old.code_key,
    )
    app.current_release_id = newer.id


def test_an_app_runs_only_with_all_it_asks_for_allowed(
    session: Session, app: App, person: AccountId
) -> None:
    with pytest.raises(consent.ConsentNeeded) as needed:
        start(session, app, person, allowed=["kv.user", "net.fetch", "made.up"])
    assert needed.value.details["permissions"] == [
        name for name in EVERY_PERMISSION if name != "kv.user"
    ]
    assert session.exec(select(Consent)).all() == []
    start(session, app, person)
    assert start(session, app, person, allowed=[]).state is RunState.QUEUED
    [kept] = session.exec(select(Consent)).all()
    assert kept.items == sorted(EVERY_PERMISSION)


def test_a_release_that_asks_for_more_asks_again(
    session: Session, app: App, person: AccountId
) -> None:
    start(session, app, person)
    fetch = [{"name": "net.fetch", "reason": "To read pages."}]
    make_newer(session, app, permission=fetch, network={"allow": ["a.example"], "reason": ""})
    with pytest.raises(consent.ConsentNeeded) as needed:
        start(session, app, person, allowed=["net.fetch"])
    assert needed.value.details["permissions"] == ["net.fetch a.example"]
    start(session, app, person, allowed=["net.fetch", "net.fetch a.example"])
    wider = {"allow": ["a.example", "b.example"], "reason": "To read two."}
    release = session.get_one(Release, app.current_release_id)
    release.manifest = {**release.manifest, "network": wider}
    assert consent.missing(session, person, app.id, release.manifest) == {
        "net.fetch b.example": "To read two."
    }


def test_one_that_asks_for_less_runs_without_a_word(
    session: Session, app: App, person: AccountId
) -> None:
    start(session, app, person)
    make_newer(session, app, permission=[{"name": "kv.user", "reason": "To remember."}])
    assert start(session, app, person, allowed=[]).state is RunState.QUEUED
