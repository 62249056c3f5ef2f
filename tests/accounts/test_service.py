"""Becoming somebody: accounts, sign-in, sessions and passwords."""

import threading
from datetime import timedelta
from email.message import EmailMessage

import pytest
from flask import Flask
from sqlmodel import Session, select

from marketplace.accounts import limits, passwords, queries, service, sessions
from marketplace.accounts.identity import AccountIdentity
from marketplace.accounts.models import Account, AccountSession, SignInAttempt
from marketplace.accounts.sessions import Visitor
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job
from marketplace.web.auth import Role
from tests.factories.accounts import (
    NOON,
    OPERATOR,
    PASSWORD,
    VISITOR,
    cheap_hash,
    make_account,
    make_session,
    make_token,
)

pytestmark = pytest.mark.usefixtures("cheap_hashing")

ELSEWHERE = Visitor(address="198.51.100.9", user_agent="")
NEW = {"email": "Lina@Example.org ", "name": "Lina", "password": PASSWORD}


@pytest.fixture
def in_request(small_app: Flask):
    with small_app.test_request_context("/"):
        yield


def stored(database: Database, **given: object) -> Account:
    with database.writing() as session:
        return make_account(session, **given)


@pytest.mark.usefixtures("in_request")
def test_signing_up_opens_an_account_a_session_and_a_letter(empty_database: Database) -> None:
    signed_in = service.sign_up(empty_database, **NEW, visitor=VISITOR, now=NOON)
    account = signed_in.account
    assert (account.email, account.name, account.roles) == (
        "lina@example.org",
        "Lina",
        {Role.SHOPPER},
    )
    with empty_database.reading() as session:
        [job] = session.exec(select(Job)).all()
        [row] = session.exec(select(AccountSession)).all()
    assert (job.name, job.payload["to"]) == ("infra.send_mail", "lina@example.org")
    assert "Lina" not in job.payload["text"] + job.payload["html"] + job.payload["subject"]
    assert signed_in.secret not in row.model_dump_json()
    assert row.expires_at == NOON + timedelta(days=30)


@pytest.mark.usefixtures("in_request")
def test_two_who_sign_up_together_with_one_address_do_not_break_anything(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(empty_database, email="lina@example.org")
    # Each looked before the other was there.
    monkeypatch.setattr(service, "_check_free", lambda _session, _email: None)
    with pytest.raises(service.EmailTaken):
        service.sign_up(empty_database, **NEW, visitor=VISITOR, now=NOON)


@pytest.mark.usefixtures("in_request")
def test_an_address_has_one_account_in_any_letter_case(empty_database: Database) -> None:
    stored(empty_database, email="lina@example.org")
    with pytest.raises(service.EmailTaken) as refused:
        service.sign_up(empty_database, **NEW, visitor=VISITOR, now=NOON)
    assert list(refused.value.fields) == ["email"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lina",
        "lina@",
        "@example.org",
        "a@b@c",
        "a b@example.org",
        "a@example.org,b@example.org",
        "a@example.org\nBcc: b@example.org",
        "<a@example.org>",
        "a@-example.org",
        f"{'a' * 250}@example.org",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(service.BadEmail):
        service.normalised_email(text)


def test_an_accepted_address_makes_a_header_with_one_recipient() -> None:
    letter = EmailMessage()
    letter["To"] = service.normalised_email(" Lina.O'Neil+caravan@Mail.Example.org ")
    [recipient] = letter["To"].addresses
    assert recipient.addr_spec == "lina.o'neil+caravan@mail.example.org"


@pytest.mark.usefixtures("in_request")
def test_one_address_cannot_open_accounts_without_end(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SIGN_UP_BY_ADDRESS", limits.Limit(most=2, window_s=3600))
    for number in range(2):
        service.sign_up(
            empty_database, **{**NEW, "email": f"p{number}@example.org"}, visitor=VISITOR, now=NOON
        )
    with pytest.raises(limits.TooManyAttempts):
        service.sign_up(empty_database, **NEW, visitor=VISITOR, now=NOON)
    assert service.sign_up(empty_database, **NEW, visitor=ELSEWHERE, now=NOON)


@pytest.mark.usefixtures("in_request", "no_hashing")
def test_asking_who_has_an_account_has_an_end_and_costs_no_hash(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SIGN_UP_BY_ADDRESS", limits.Limit(most=2, window_s=3600))
    stored(empty_database, email="lina@example.org")
    for error in (service.EmailTaken, service.EmailTaken, limits.TooManyAttempts):
        with pytest.raises(error):
            service.sign_up(empty_database, **NEW, visitor=VISITOR, now=NOON)


def test_the_right_password_opens_a_session_of_that_person(empty_database: Database) -> None:
    account = stored(empty_database, email="lina@example.org")
    signed_in = service.sign_in(
        empty_database, email=" LINA@example.org", password=PASSWORD, visitor=VISITOR, now=NOON
    )
    with empty_database.reading() as session:
        found = AccountIdentity(empty_database).by_session(session, signed_in.secret, now=NOON)
    assert found is not None
    assert found.id == account.id


@pytest.mark.parametrize(
    ("given", "password"),
    [
        ({}, "not the password"),
        ({"is_closed": True}, PASSWORD),
        ({"password_hash": None}, PASSWORD),
        ({"email": "somebody-else@example.org"}, PASSWORD),
        ({"password_hash": None}, "nobody"),
    ],
)
def test_every_wrong_sign_in_gets_the_same_answer(
    empty_database: Database, given: dict[str, object], password: str
) -> None:
    stored(empty_database, **{"email": "lina@example.org", **given})
    with pytest.raises(service.WrongPassword, match="do not belong together") as refused:
        service.sign_in(
            empty_database,
            email="lina@example.org",
            password=password,
            visitor=VISITOR,
            now=NOON,
        )
    assert list(refused.value.fields) == ["password"]
    with empty_database.reading() as session:
        assert session.exec(select(AccountSession)).all() == []


def fail(database: Database, times: int, **given: object) -> None:
    values = {"email": "lina@example.org", "password": "wrong", "visitor": VISITOR, **given}
    for _ in range(times):
        with pytest.raises(service.WrongPassword):
            service.sign_in(database, now=NOON, **values)


def test_guessing_one_persons_password_ends_after_ten_attempts(empty_database: Database) -> None:
    stored(empty_database, email="lina@example.org")
    fail(empty_database, 10)
    attempt = {"email": "lina@example.org", "password": PASSWORD, "visitor": VISITOR}
    with pytest.raises(limits.TooManyAttempts, match="wait 5 minutes") as refused:
        service.sign_in(empty_database, **attempt, now=NOON)
    assert refused.value.retry_after_s == 300
    assert service.sign_in(empty_database, **attempt, now=NOON + timedelta(seconds=301))


def test_who_guesses_from_elsewhere_does_not_lock_the_person_out(empty_database: Database) -> None:
    stored(empty_database, email="lina@example.org")
    fail(empty_database, 10, visitor=ELSEWHERE)
    attempt = {"email": "lina@example.org", "password": PASSWORD}
    assert service.sign_in(empty_database, **attempt, visitor=VISITOR, now=NOON)
    with pytest.raises(limits.TooManyAttempts):
        service.sign_in(empty_database, **attempt, visitor=ELSEWHERE, now=NOON)


def test_guessing_one_persons_password_from_everywhere_ends_too(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SIGN_IN_BY_EMAIL", limits.Limit(most=6, window_s=300))
    crowd = [Visitor(address=f"198.51.100.{number}", user_agent="") for number in range(7)]
    for guesser in crowd[:6]:
        fail(empty_database, 1, visitor=guesser)
    with pytest.raises(limits.TooManyAttempts):
        fail(empty_database, 1, visitor=crowd[6])


def test_guessing_over_many_people_ends_by_address(empty_database: Database) -> None:
    for number in range(50):
        fail(empty_database, 1, email=f"p{number}@example.org")
    with pytest.raises(limits.TooManyAttempts):
        fail(empty_database, 1, email="another@example.org")
    fail(empty_database, 1, email="another@example.org", visitor=ELSEWHERE)


def test_signing_in_forgets_that_persons_attempts_but_not_the_address(
    empty_database: Database,
) -> None:
    stored(empty_database, email="lina@example.org")
    fail(empty_database, 9)
    attempt = {"email": "lina@example.org", "password": PASSWORD, "visitor": VISITOR}
    service.sign_in(empty_database, **attempt, now=NOON)
    fail(empty_database, 9)
    with empty_database.reading() as session:
        by_address = limits.subject("sign-in address", "192.0.2.7")
        rows = session.exec(select(SignInAttempt).where(SignInAttempt.subject == by_address)).all()
    assert len(rows) == 19


def test_a_password_is_checked_while_others_may_write(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(empty_database, email="lina@example.org")

    def slow(password: str, stored_hash: str | None) -> bool:
        writer = threading.Thread(target=stored, args=(empty_database,))
        writer.start()
        writer.join(5)
        assert not writer.is_alive()
        return True

    monkeypatch.setattr(passwords, "matches", slow)
    service.sign_in(
        empty_database, email="lina@example.org", password=PASSWORD, visitor=VISITOR, now=NOON
    )


@pytest.mark.usefixtures("in_request")
def test_a_new_password_is_hashed_while_others_may_write(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_database.writing() as session:
        secret = service.new_setup_link(session, now=NOON)

    def watch(password: str) -> str:
        writer = threading.Thread(target=stored, args=(empty_database,))
        writer.start()
        writer.join(5)
        assert not writer.is_alive()
        return cheap_hash(password)

    monkeypatch.setattr(passwords, "hashed", watch)
    service.sign_up(empty_database, **NEW, visitor=VISITOR, now=NOON)
    service.use_setup_link(empty_database, secret, **OPERATOR, visitor=VISITOR, now=NOON)


def test_signing_out_ends_this_session_alone(session: Session) -> None:
    account = make_account(session)
    here, there = make_session(session, account), make_session(session, account)
    sessions.sign_out(session, here)
    identity = AccountIdentity.__new__(AccountIdentity)
    assert identity.by_session(session, here, now=NOON) is None
    assert identity.by_session(session, there, now=NOON) is not None


def test_signing_out_everywhere_ends_every_session_of_that_person(session: Session) -> None:
    account, other = make_account(session), make_account(session)
    secrets = [make_session(session, account) for _ in range(3)]
    kept = make_session(session, other)
    sessions.end_all(session, account.id)
    identity = AccountIdentity.__new__(AccountIdentity)
    assert [identity.by_session(session, s, now=NOON) for s in secrets] == [None] * 3
    assert identity.by_session(session, kept, now=NOON) is not None


def test_opening_a_session_sweeps_up_those_that_are_over(session: Session) -> None:
    account = make_account(session)
    make_session(session, account)
    make_session(session, account, now=NOON + timedelta(days=31))
    assert len(session.exec(select(AccountSession)).all()) == 1


def test_a_new_password_ends_other_sessions_and_every_token(
    empty_database: Database,
) -> None:
    with empty_database.writing() as session:
        account = make_account(session)
        here, there = make_session(session, account), make_session(session, account)
        token = make_token(session, account)
    service.change_password(
        empty_database,
        account.id,
        present=PASSWORD,
        new="another caravan at dawn",
        secret=here,
        now=NOON,
    )
    with empty_database.reading() as session:
        identity = AccountIdentity(empty_database)
        assert identity.by_session(session, here, now=NOON) is not None
        assert identity.by_session(session, there, now=NOON) is None
        assert identity.by_token(session, token.secret, now=NOON) is None
        changed = session.get_one(Account, account.id)
    assert passwords.matches("another caravan at dawn", changed.password_hash)


@pytest.mark.parametrize(
    ("present", "new", "error", "field"),
    [
        ("not it at all", "another caravan", service.WrongPassword, "present"),
        (PASSWORD, "short", passwords.WeakPassword, "new"),
    ],
)
def test_a_password_stays_when_the_change_is_refused(
    empty_database: Database, present: str, new: str, error: type[Exception], field: str
) -> None:
    account = stored(empty_database)
    with pytest.raises(error) as refused:
        service.change_password(
            empty_database, account.id, present=present, new=new, secret="", now=NOON
        )
    assert list(refused.value.fields) == [field]
    with empty_database.reading() as session:
        assert session.get_one(Account, account.id).password_hash == account.password_hash


def test_a_person_may_become_a_developer_twice(session: Session) -> None:
    account = make_account(session)
    service.become_developer(session, account.id)
    service.become_developer(session, account.id)
    assert account.roles == {Role.SHOPPER, Role.DEVELOPER}


def test_a_language_the_store_does_not_speak_is_refused(session: Session) -> None:
    account = make_account(session, locale="en")
    with pytest.raises(service.UnknownLocale):
        service.set_locale(session, account.id, "tlh")
    assert account.locale == "en"
    service.save_settings(session, account.id, name="Layla", locale="en", theme="plaid")
    assert (account.name, account.theme) == ("Layla", None)


def test_an_unknown_account_is_not_found(session: Session) -> None:
    with pytest.raises(service.NoAccount):
        service.become_developer(session, service.HOUSE_ID)


def test_the_house_is_one_account_that_nobody_is(session: Session) -> None:
    house = service.house_account(session, now=NOON)
    assert service.house_account(session, now=NOON) is house
    assert house.password_hash is None
    assert not service.has_operator(session)


def test_names_are_found_for_many_at_once(session: Session) -> None:
    lina, omar = make_account(session, name="Lina"), make_account(session, name="Omar")
    asked = [lina.id, omar.id, lina.id, service.HOUSE_ID]
    assert queries.names(session, asked) == {lina.id: "Lina", omar.id: "Omar"}
