"""The link that makes an operator: who gets one, how long it holds, and that it works once."""

import threading
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from marketplace.accounts import limits, service
from marketplace.accounts.models import Account, SetupLink
from marketplace.infra.db import Database
from marketplace.web.auth import Role
from tests.factories.accounts import NOON, OPERATOR, VISITOR, make_account

pytestmark = pytest.mark.usefixtures("cheap_hashing")


def test_the_first_link_makes_the_operator_and_works_once(empty_database: Database) -> None:
    with empty_database.writing() as session:
        secret = service.first_setup_secret(session, now=NOON)
    assert secret
    made = service.use_setup_link(empty_database, secret, **OPERATOR, visitor=VISITOR, now=NOON)
    assert made.account.roles == {Role.SHOPPER, Role.DEVELOPER, Role.OPERATOR}
    again = {**OPERATOR, "email": "p@example.org"}
    with pytest.raises(service.BadSetupLink):
        service.use_setup_link(empty_database, secret, **again, visitor=VISITOR, now=NOON)
    with empty_database.reading() as session:
        assert service.first_setup_secret(session, now=NOON) is None
        assert session.exec(select(SetupLink)).all() == []


def test_a_first_link_ends_when_there_is_an_operator(session: Session) -> None:
    secret = service.first_setup_secret(session, now=NOON)
    assert secret
    make_account(session, is_operator=True)
    with pytest.raises(service.BadSetupLink):
        service.usable_link(session, secret, now=NOON)


def test_a_link_from_the_command_line_makes_another_operator(empty_database: Database) -> None:
    with empty_database.writing() as session:
        make_account(session, is_operator=True)
        secret = service.new_setup_link(session, now=NOON)
    made = service.use_setup_link(empty_database, secret, **OPERATOR, visitor=VISITOR, now=NOON)
    assert made.account.is_operator


def test_a_newer_link_and_a_day_end_a_link(session: Session) -> None:
    old = service.new_setup_link(session, now=NOON)
    new = service.new_setup_link(session, now=NOON)
    with pytest.raises(service.BadSetupLink):
        service.usable_link(session, old, now=NOON)
    with pytest.raises(service.BadSetupLink):
        service.usable_link(session, new, now=NOON + timedelta(days=1))
    assert service.usable_link(session, new, now=NOON + timedelta(hours=23))


def test_two_people_with_the_first_link_make_one_operator(empty_database: Database) -> None:
    with empty_database.writing() as session:
        secret = service.first_setup_secret(session, now=NOON)
    assert secret
    start = threading.Barrier(2)
    made, refused = [], []

    def use(number: int) -> None:
        start.wait()
        try:
            given = {**OPERATOR, "email": f"o{number}@example.org"}
            made.append(
                service.use_setup_link(empty_database, secret, **given, visitor=VISITOR, now=NOON)
            )
        except service.BadSetupLink as error:
            refused.append(error)

    people = [threading.Thread(target=use, args=(number,)) for number in range(2)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert (len(made), len(refused)) == (1, 1)
    with empty_database.reading() as session:
        assert len(session.exec(select(Account)).all()) == 1


@pytest.mark.usefixtures("no_hashing")
def test_making_links_up_has_an_end_and_costs_no_hash(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SETUP_BY_ADDRESS", limits.Limit(most=2, window_s=3600))
    for error in (service.BadSetupLink, service.BadSetupLink, limits.TooManyAttempts):
        with pytest.raises(error):
            service.use_setup_link(empty_database, "made-up", **OPERATOR, visitor=VISITOR, now=NOON)
