"""Who a cookie or a token stands for, and when it stands for nobody."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlmodel import Session

from marketplace.accounts import tokens
from marketplace.accounts.identity import AccountIdentity
from marketplace.accounts.models import ApiToken
from marketplace.infra.db import Database, DatabaseBusy
from marketplace.kernel.clock import utc_now
from marketplace.web.auth import Role, actor
from tests.factories.accounts import NOON, make_account, make_session, make_token


@pytest.fixture
def identity(database: Database) -> AccountIdentity:
    return AccountIdentity(database)


def test_a_session_is_good_until_it_ends(
    session: Session, identity: AccountIdentity, small_app: Flask
) -> None:
    account = make_account(session, name="Lina", locale="ar", is_operator=True)
    secret = make_session(session, account)
    with small_app.app_context():
        found = identity.by_session(session, secret, now=NOON + timedelta(days=30, seconds=-1))
    assert found is not None
    assert (found.id, found.name, found.locale, found.via_token) == (
        account.id,
        "Lina",
        "ar",
        False,
    )
    assert found.is_operator
    assert identity.by_session(session, secret, now=NOON + timedelta(days=30)) is None


@pytest.mark.parametrize("secret", ["", "wrong", "\udce9", "x" * 10_000])
def test_what_is_no_secret_is_nobody(
    session: Session, identity: AccountIdentity, secret: str
) -> None:
    make_session(session, make_account(session))
    assert identity.by_session(session, secret, now=NOON) is None
    assert identity.by_token(session, secret, now=NOON) is None


def test_a_closed_account_is_nobody(
    session: Session, identity: AccountIdentity, small_app: Flask
) -> None:
    account = make_account(session, is_closed=True)
    secret, token = make_session(session, account), make_token(session, account).secret
    assert identity.by_session(session, secret, now=NOON) is None
    with small_app.test_request_context("/api/v1/whoami"):
        assert identity.by_token(session, token, now=NOON) is None


def test_a_sessions_secret_is_no_token_and_a_tokens_no_session(
    session: Session, identity: AccountIdentity
) -> None:
    account = make_account(session)
    secret, token = make_session(session, account), make_token(session, account).secret
    assert identity.by_token(session, secret, now=NOON) is None
    assert identity.by_session(session, token, now=NOON) is None


def test_a_token_ends_by_time_and_by_word(
    session: Session, identity: AccountIdentity, small_app: Flask
) -> None:
    account = make_account(session)
    made = make_token(session, account)
    with small_app.test_request_context("/api/v1/whoami"):
        assert identity.by_token(session, made.secret, now=NOON + timedelta(days=179))
        assert identity.by_token(session, made.secret, now=NOON + timedelta(days=180)) is None
        tokens.revoke(session, made.token.id, account_id=account.id, now=NOON)
        assert identity.by_token(session, made.secret, now=NOON) is None


def test_an_operators_token_does_not_run_the_store(
    session: Session, identity: AccountIdentity, small_app: Flask
) -> None:
    made = make_token(session, make_account(session, is_operator=True, is_developer=True))
    with small_app.test_request_context("/api/v1/whoami"):
        found = identity.by_token(session, made.secret, now=NOON)
    assert found is not None
    assert found.via_token
    assert found.roles == {Role.SHOPPER, Role.DEVELOPER}


@pytest.fixture
def token(empty_database: Database) -> tokens.NewToken:
    with empty_database.writing() as session:
        return make_token(session, make_account(session), now=utc_now())


def used(database: Database, token: tokens.NewToken) -> object:
    with database.reading() as session:
        return session.get_one(ApiToken, token.token.id).last_used_at


def call(app: Flask, token: tokens.NewToken) -> int:
    headers = {"Authorization": f"Bearer {token.secret}"}
    return app.test_client().get("/api/v1/whoami", headers=headers).status_code


def test_a_tokens_use_is_noted_after_the_request(
    small_app: Flask, empty_database: Database, token: tokens.NewToken
) -> None:
    small_app.add_url_rule("/api/v1/whoami", view_func=lambda: {"found": bool(actor())})
    assert used(empty_database, token) is None
    assert call(small_app, token) == 200
    first = used(empty_database, token)
    assert first is not None
    assert call(small_app, token) == 200
    assert used(empty_database, token) == first


def test_a_busy_database_does_not_spoil_an_answer_that_is_done(
    small_app: Flask,
    empty_database: Database,
    token: tokens.NewToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def busy(*_args: object, **_given: object) -> None:
        raise DatabaseBusy("The database is busy.")

    small_app.add_url_rule("/api/v1/whoami", view_func=lambda: {"found": bool(actor())})
    monkeypatch.setattr(tokens, "note_use", busy)
    assert call(small_app, token) == 200
    assert used(empty_database, token) is None
