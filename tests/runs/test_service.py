"""Starting a run: what must be true before it may be queued."""

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from marketplace.billing.models import OrderState
from marketplace.catalog.models import App
from marketplace.infra.blobs import Blobs
from marketplace.kernel.ids import AccountId, RunId, new_id
from marketplace.runs import service
from marketplace.runs.models import NEXT_STATES, IllegalMove, Run, RunState
from marketplace.runs.settings import RunSettings
from tests.factories.accounts import NOON, make_account
from tests.factories.billing import make_order
from tests.factories.catalog import make_app, make_product
from tests.factories.runs import make_run, make_runnable


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
        "locale": "ar",
        "settings": RunSettings(at_once_per_person=2),
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
