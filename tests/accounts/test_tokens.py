"""API tokens: what is stored, how many there may be, and when they end."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from marketplace.accounts import queries, tokens
from marketplace.accounts.models import ApiToken
from marketplace.kernel.ids import TokenId, new_id
from tests.factories.accounts import NOON, make_account, make_token


def test_only_the_hash_and_the_beginning_of_a_secret_are_stored(session: Session) -> None:
    made = make_token(session, make_account(session))
    session.flush()  # the row as the database has it
    [row] = session.exec(select(ApiToken)).all()
    assert made.secret.startswith("crv_")
    assert made.secret.startswith(row.prefix)
    assert made.secret not in row.model_dump_json()
    assert (row.scopes, row.expires_at) == (["publish"], NOON + timedelta(days=180))


def test_an_account_has_at_most_twenty_usable_tokens(session: Session) -> None:
    account = make_account(session)
    made = [make_token(session, account) for _ in range(20)]
    with pytest.raises(tokens.TooManyTokens):
        make_token(session, account)
    tokens.revoke(session, made[0].token.id, account_id=account.id, now=NOON)
    assert make_token(session, account)


def test_a_revoked_token_stays_revoked_at_its_first_instant(session: Session) -> None:
    account = make_account(session)
    token = make_token(session, account).token
    tokens.revoke(session, token.id, account_id=account.id, now=NOON)
    later = NOON + timedelta(days=1)
    assert tokens.revoke(session, token.id, account_id=account.id, now=later).revoked_at == NOON


def test_nobody_revokes_anothers_token(session: Session) -> None:
    token = make_token(session, make_account(session)).token
    session.flush()  # revoke reads it from the database
    with pytest.raises(tokens.NoToken):
        tokens.revoke(session, token.id, account_id=make_account(session).id, now=NOON)
    with pytest.raises(tokens.NoToken):
        tokens.revoke(session, TokenId(new_id()), account_id=token.account_id, now=NOON)
    assert token.revoked_at is None


def test_the_list_says_which_tokens_work(session: Session) -> None:
    account = make_account(session)
    make_token(session, account, name="Old", days=1)
    gone = make_token(session, account, name="Gone", now=NOON + timedelta(hours=1)).token
    make_token(session, account, name="New", now=NOON + timedelta(hours=2))
    tokens.revoke(session, gone.id, account_id=account.id, now=NOON)
    make_token(session, make_account(session), name="Somebody else's")
    rows = queries.tokens(session, account.id, now=NOON + timedelta(days=2))
    assert [(row.name, row.state) for row in rows] == [
        ("New", "good"),
        ("Gone", "revoked"),
        ("Old", "ended"),
    ]


def test_use_is_noted_at_most_once_a_day(session: Session) -> None:
    token = make_token(session, make_account(session)).token
    session.flush()  # note_use is an UPDATE of the row
    for hours, noted in ((0, 0), (23, 0), (25, 25)):
        tokens.note_use(session, token.id, now=NOON + timedelta(hours=hours))
        session.refresh(token)
        assert token.last_used_at == NOON + timedelta(hours=noted)
