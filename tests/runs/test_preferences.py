"""What a person sets for an app: kept by kind, asked for when needed, secrets sealed."""

from typing import Any

import pytest
from sqlmodel import Session

from marketplace.catalog.models import App
from marketplace.infra.egress import Secret
from marketplace.infra.vault import Vault
from marketplace.kernel.ids import AccountId, AppId
from marketplace.runs import preferences
from marketplace.runs.models import Preferences
from marketplace.runs.preferences import BadSettings, Known, SettingsNeeded
from tests.factories.accounts import NOON, make_account
from tests.factories.catalog import make_app
from tests.factories.runs import VAULT

TOKEN = {
    "name": "token",
    "type": "secret",
    "label": "Token",
    "required": True,
    "inject": "header:Authorization",
    "host": "example.org",
}
COUNT = {"name": "count", "type": "integer", "label": "How many", "default": 3}
MANIFEST = {"setting": [COUNT, TOKEN]}
SECRET = Secret("{{secret:token}}", "hunter2", "Authorization", "example.org")


@pytest.fixture
def app(session: Session) -> App:
    return make_app(session)


@pytest.fixture
def person(session: Session) -> AccountId:
    return make_account(session).id


def keep(
    session: Session, app: App, person: AccountId, values: dict[str, Any], **given: Any
) -> None:
    app_id = AppId(app.id)
    preferences.keep(session, person, app_id, MANIFEST, values, vault=VAULT, now=NOON, **given)
    session.flush()  # a second keep finds the row


def known(
    session: Session, app: App, person: AccountId | None, vault: Vault = VAULT, **changes: Any
) -> Known:
    manifest = {"setting": [COUNT, TOKEN | changes]}
    return preferences.known(session, vault, person, app.id, manifest)


def test_until_something_is_set_there_are_defaults_and_what_is_needed_is_asked_for(
    session: Session, app: App, person: AccountId
) -> None:
    for somebody in (person, None):
        found = known(session, app, somebody)
        assert found == Known({"count": 3}, ())
        with pytest.raises(SettingsNeeded, match="Set this up first: Token") as needed:
            preferences.check(MANIFEST, found)
        assert needed.value.details == {"settings": ["token"]}
    preferences.check({}, preferences.known(session, VAULT, person, app.id, {}))


def test_what_was_set_is_what_a_run_gets_and_the_secret_is_for_the_way_out_alone(
    session: Session, app: App, person: AccountId
) -> None:
    keep(session, app, person, {"token": "hunter2", "count": 5})
    found = known(session, app, person)
    assert found == Known({"count": 5, "token": "{{secret:token}}"}, (SECRET,))
    preferences.check(MANIFEST, found)
    row = session.get_one(Preferences, (person, app.id))
    assert "hunter2" not in str(row.model_dump())


def test_one_persons_settings_are_nobody_elses(
    session: Session, app: App, person: AccountId
) -> None:
    keep(session, app, person, {"token": "hunter2"})
    other = make_account(session).id
    assert known(session, app, other).secrets == ()
    theirs = session.get_one(Preferences, (person, app.id))
    session.add(
        Preferences(person_id=other, app_id=app.id, secrets=theirs.secrets, changed_at=NOON)
    )
    session.flush()  # a copied row is there, and stays shut
    assert known(session, app, other).secrets == ()


def test_a_secret_left_empty_stays_and_one_that_is_forgotten_goes(
    session: Session, app: App, person: AccountId
) -> None:
    keep(session, app, person, {"token": "hunter2"})
    keep(session, app, person, {"count": 1})
    assert known(session, app, person) == Known(
        {"count": 1, "token": "{{secret:token}}"}, (SECRET,)
    )
    keep(session, app, person, {}, forgotten=["token"])
    assert known(session, app, person) == Known({"count": 3}, ())


@pytest.mark.parametrize("change", [{"host": "evil.example"}, {"inject": "header:X-Other"}])
def test_a_release_that_sends_a_secret_elsewhere_must_ask_for_it_again(
    session: Session, app: App, person: AccountId, change: dict[str, str]
) -> None:
    keep(session, app, person, {"token": "hunter2"})
    assert known(session, app, person, **change) == Known({"count": 3}, ())


def test_a_key_that_is_gone_asks_again_and_an_earlier_one_still_opens(
    session: Session, app: App, person: AccountId
) -> None:
    keep(session, app, person, {"token": "hunter2"})
    assert known(session, app, person, Vault("new")).secrets == ()
    assert known(session, app, person, Vault("new", ["the key of a test"])).secrets == (SECRET,)


def test_a_value_that_no_longer_fits_counts_as_not_set(
    session: Session, app: App, person: AccountId
) -> None:
    keep(session, app, person, {"token": "hunter2", "count": 5})
    text = {"setting": [{"name": "count", "type": "text", "label": "How many"}]}
    assert preferences.known(session, VAULT, person, app.id, text) == Known({}, ())


@pytest.mark.parametrize(
    ("values", "field"),
    [({"count": "many"}, "count"), ({"token": "two words"}, "token"), ({"other": 1}, "")],
)
def test_what_does_not_fit_is_refused_by_field(
    session: Session, app: App, person: AccountId, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadSettings) as refused:
        keep(session, app, person, values)
    assert list(refused.value.fields) == [field]
    assert session.get(Preferences, (person, app.id)) is None


def test_everything_can_be_forgotten(session: Session, app: App, person: AccountId) -> None:
    keep(session, app, person, {"token": "hunter2"})
    preferences.forget(session, person, app.id)
    session.flush()  # the row is gone for the next read
    assert known(session, app, person) == Known({"count": 3}, ())
    preferences.forget(session, person, app.id)
