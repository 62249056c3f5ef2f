"""Everything of one person and nothing of another: taken away, and erased."""

import json
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from flask import Flask
from sqlalchemy import Column, Table, Uuid, select
from sqlmodel import Session, SQLModel

from marketplace.accounts import archive, belongings, closing
from marketplace.accounts.archive import CONTENTS
from marketplace.accounts.models import Account
from marketplace.catalog import leaving
from marketplace.catalog.models import App, HelpfulVote, Rating
from marketplace.infra.db import Database
from marketplace.infra.personal import Tie, is_withheld, tie_of
from marketplace.kernel.ids import AccountId
from tests.factories.accounts import NOON, make_account
from tests.factories.catalog import make_app
from tests.factories.rows import make_row

TABLES = SQLModel.metadata.sorted_tables


def ties(kinds: set[Tie]) -> list[tuple[Table, Column[object]]]:
    """Every column that may hold a person's id in one of these ways."""
    return [(table, column) for table in TABLES for column in table.c if tie_of(column) in kinds]


def live(session: Session, name: str) -> AccountId:
    """Somebody with a row in every table of the store, once for each way to be in it."""
    person = AccountId(make_account(session, name=name, email=f"{name}@example.org").id)
    for table, column in ties({Tie.OWN, Tie.SHARED, Tie.ACTED}):
        make_row(session, table, **{column.name: person})
    return person


def holding(session: Session, person: AccountId) -> set[str]:
    """The columns of the whole store, but the account's own, in which their id stands."""
    return {
        f"{table.name}.{column.name}"
        for table in TABLES
        for column in table.c
        if isinstance(column.type, Uuid) and table.name != "accounts_account"
        if session.execute(select(column).where(column == person).limit(1)).first()
    }


def everything(session: Session) -> str:
    """All that the database holds, as one text."""
    return "\n".join(str(row) for table in TABLES for row in session.execute(select(table)).all())


@pytest.fixture
def people(empty_database: Database) -> tuple[AccountId, AccountId]:
    """Two people who did everything."""
    with empty_database.writing() as session:
        return live(session, "noor"), live(session, "zayd")


def exported(session: Session, folder: Path, person: AccountId) -> dict[str, str]:
    """The files of somebody's export, by name."""

    def files(_person: AccountId) -> Iterator[tuple[str, Path]]:
        given = folder / "given.txt"
        given.write_text("what they gave to a run")
        yield "files/given.txt", given

    told: list[tuple[int, int]] = []
    target = folder / "export.zip"
    archive.write(
        session, target, person, files, now=NOON, told=lambda *how_far: told.append(how_far)
    )
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1] > 20
    assert not target.with_suffix(".part").exists()
    with ZipFile(target) as zipped:
        return {name: zipped.read(name).decode() for name in zipped.namelist()}


def test_an_export_has_every_table_with_something_of_theirs_and_nobody_elses_id(
    people: tuple[AccountId, AccountId], empty_database: Database, tmp_path: Path
) -> None:
    noor, zayd = people
    with empty_database.reading() as session:
        found = exported(session, tmp_path, noor)
    wanted = {f"{table.name}.json" for table, _ in ties({Tie.OWN, Tie.SHARED})}
    assert {*wanted, "accounts_account.json", "files/given.txt", CONTENTS} <= set(found)
    together = "\n".join(found.values())
    assert "noor@example.org" in together
    assert "zayd" not in together
    assert str(zayd) not in together
    contents = json.loads(found[CONTENTS])["files"]
    assert set(contents) == set(found) - {CONTENTS}
    assert contents["runs_kv.json"] == {
        "rows": 1,
        "what": "One value an app keeps, for one person or (person NOBODY) for all of them.",
    }


def test_of_others_with_whom_they_share_a_row_an_export_names_nobody(
    session: Session, tmp_path: Path
) -> None:
    noor, zayd = (AccountId(make_account(session).id) for _ in range(2))
    orders = SQLModel.metadata.tables["billing_order"]
    make_row(session, orders, buyer_id=noor, developer_id=zayd)
    [row] = json.loads(exported(session, tmp_path, noor)["billing_order.json"])
    assert row["buyer_id"] == str(noor)
    assert "developer_id" not in row


def test_an_export_says_by_name_which_app_a_row_is_about(session: Session, tmp_path: Path) -> None:
    noor = AccountId(make_account(session).id)
    app = make_app(session)
    runs = SQLModel.metadata.tables["runs_run"]
    make_row(session, runs, person_id=noor, app_id=app.id)
    [row] = json.loads(exported(session, tmp_path, noor)["runs_run.json"])
    assert (row["app_id"], row["app"]) == (str(app.id), app.ident)


def test_no_column_that_is_withheld_is_in_an_export(
    people: tuple[AccountId, AccountId], empty_database: Database, tmp_path: Path
) -> None:
    with empty_database.reading() as session:
        found = exported(session, tmp_path, people[0])
    for table in TABLES:
        for row in json.loads(found.get(f"{table.name}.json", "[]")):
            assert not {column.name for column in table.c if is_withheld(column)} & set(row)


def test_an_erased_person_is_nowhere_but_where_others_need_a_number(
    people: tuple[AccountId, AccountId], empty_database: Database, small_app: Flask
) -> None:
    noor, zayd = people
    with empty_database.reading() as session:
        of_zayd = holding(session, zayd)
    with small_app.test_request_context(), empty_database.writing() as session:
        closing.close(session, noor, [])
    closing.erase(empty_database, noor, [leaving.farewell], NOON)
    with empty_database.reading() as session:
        stays = {f"{t.name}.{c.name}" for t, c in ties({Tie.SHARED, Tie.ACTED})}
        assert holding(session, noor) == stays
        assert holding(session, zayd) == of_zayd
        text = everything(session)
    # The last letter is still to be sent; once it is, it is forgotten as every letter.
    assert text.count("noor@example.org") == 1
    assert "'noor'" not in text
    assert "'zayd'" in text


def test_counts_are_right_without_who_left(empty_database: Database) -> None:
    ratings = SQLModel.metadata.tables["catalog_rating"]
    with empty_database.writing() as session:
        noor, zayd = (AccountId(make_account(session).id) for _ in range(2))
        one = make_row(session, ratings, person_id=noor, stars=1, state="shown", is_current=True)
        given = {"app_id": one["app_id"], "stars": 5, "state": "shown", "is_current": True}
        other = make_row(session, ratings, person_id=zayd, helpful_count=1, **given)
        session.add(HelpfulVote(rating_id=other["id"], person_id=noor))
    assert leaving.farewell(empty_database, noor)
    assert leaving.farewell(empty_database, noor)
    with empty_database.reading() as session:
        app = session.get_one(App, one["app_id"])
        assert (app.rating_count, app.rating_total) == (1, 5)
        assert session.get_one(Rating, other["id"]).helpful_count == 0


def test_rows_are_erased_only_once_every_room_is_ready(
    people: tuple[AccountId, AccountId], empty_database: Database
) -> None:
    noor, _zayd = people
    with empty_database.reading() as session:
        before = holding(session, noor)
    closing.erase(empty_database, noor, [lambda *_: False, leaving.farewell], NOON)
    with empty_database.reading() as session:
        assert before - holding(session, noor) <= {
            "catalog_rating.person_id",
            "catalog_helpful_vote.person_id",
        }
        assert session.get(Account, noor) is not None


def test_every_table_that_points_at_what_goes_is_emptied_before_it(session: Session) -> None:
    order = list(belongings.leaving(AccountId(make_account(session).id)))
    for table in order:
        for key in table.foreign_keys:
            if key.column.table in order and key.column.table is not table:
                assert order.index(key.column.table) < order.index(table)
