"""The hour of a person and of an app: charged at a run's end, asked before the next begins."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId, AppId, new_id
from marketplace.runs import budgets, grants
from marketplace.runs.memory import Memory
from marketplace.runs.models import RunState, Use
from marketplace.runs.preferences import Known
from marketplace.runs.settings import HourSettings, RunSettings
from marketplace.sandbox.budgets import NAMES, SLOT_S, SLOTS, Amounts
from marketplace.sandbox.ports import Refused
from marketplace.sandbox.settings import SandboxSettings
from tests.factories.accounts import NOON
from tests.factories.runs import Stage, make_grant, stage

LINA, OMAR = AccountId(new_id()), AccountId(new_id())
ONE, OTHER = AppId(new_id()), AppId(new_id())
SETTINGS = RunSettings(hour=HourSettings(llm_tokens=100, cpu_ms=1000), app_times=2)
TOKENS = Amounts(llm_tokens=60)


def both(person: AccountId = LINA, app: AppId = ONE) -> tuple[budgets.Party, budgets.Party]:
    return budgets.parties(person, app, SETTINGS)


def test_what_is_left_is_what_the_poorer_has(session: Session) -> None:
    budgets.charge(session, both(LINA, ONE), TOKENS, now=NOON)
    budgets.charge(session, both(OMAR, ONE), Amounts(llm_tokens=130), now=NOON)
    assert budgets.left(session, both(LINA, OTHER), now=NOON).llm_tokens == 40
    assert budgets.left(session, both(LINA, ONE), now=NOON).llm_tokens == 10
    assert budgets.left(session, both(AccountId(new_id()), OTHER), now=NOON).llm_tokens == 100


def test_charges_of_one_slot_add_up_in_one_row(session: Session) -> None:
    every = Amounts(*range(1, len(NAMES) + 1))
    for _ in range(3):
        budgets.charge(session, both(), every, now=NOON)
    rows = session.exec(select(Use)).all()
    assert sorted(row.party_id for row in rows) == sorted([LINA, ONE])
    for row in rows:
        assert Amounts(*(getattr(row, name) for name in NAMES)) == every.times(3)


def test_one_who_used_up_the_hour_is_told_when_to_come_back(session: Session) -> None:
    budgets.check(session, both(), now=NOON)
    budgets.charge(session, both(), TOKENS.times(2), now=NOON)
    with pytest.raises(budgets.BudgetSpent, match="share of the language model") as spent:
        budgets.check(session, both(), now=NOON)
    assert spent.value.rule == "budget.person.llm_tokens"
    assert spent.value.retry_after_s == SLOTS * SLOT_S
    then = NOON + timedelta(seconds=spent.value.retry_after_s)
    budgets.check(session, both(), now=then)
    with pytest.raises(budgets.BudgetSpent):
        budgets.check(session, both(), now=then - timedelta(seconds=1))


def test_an_app_that_used_up_its_hour_runs_for_nobody(session: Session) -> None:
    for person in (LINA, OMAR, AccountId(new_id()), AccountId(new_id())):
        budgets.charge(session, both(person), TOKENS, now=NOON)
    newcomer = AccountId(new_id())
    with pytest.raises(budgets.BudgetSpent, match="This app has used up") as spent:
        budgets.check(session, both(newcomer), now=NOON)
    assert spent.value.rule == "budget.app.llm_tokens"
    budgets.check(session, both(newcomer, OTHER), now=NOON)


def test_a_person_sees_what_of_their_hour_is_used_the_most_first(session: Session) -> None:
    assert budgets.hour(session, LINA, SETTINGS, now=NOON) == []
    used = Amounts(llm_tokens=60, cpu_ms=2_500, wall_ms=1)
    budgets.charge(session, both(), used, now=NOON)
    rows = [(row.what, row.percent) for row in budgets.hour(session, LINA, SETTINGS, now=NOON)]
    assert rows == [("computing time", 100), ("the language model", 60)]
    later = NOON + timedelta(seconds=SLOT_S * SLOTS)
    assert budgets.hour(session, LINA, SETTINGS, now=later) == []


def test_what_lies_an_hour_back_is_forgotten(session: Session) -> None:
    budgets.charge(session, both(), TOKENS, now=NOON)
    budgets.forget(session, now=NOON + timedelta(seconds=SLOT_S * (SLOTS - 1)))
    assert len(session.exec(select(Use)).all()) == 2
    budgets.forget(session, now=NOON + timedelta(seconds=SLOT_S * SLOTS))
    assert session.exec(select(Use)).all() == []


@pytest.fixture
def here(empty_database: Database, tmp_path: Path) -> Iterator[Stage]:
    with stage(empty_database, tmp_path, settings=SETTINGS) as made:
        yield made


def test_a_run_is_charged_to_its_person_and_its_app(here: Stage) -> None:
    body = "ctx.kv.user.set('a', 'x' * 50)\nyield ctx.llm.complete('hello there')"
    app = here.app(body)
    run = here.perform(app)
    with here.database.reading() as session:
        rows = {row.party_id: row for row in session.exec(select(Use)).all()}
    assert rows.keys() == {run.person_id, app.id}
    for row in rows.values():
        assert (row.llm_tokens, row.host_calls, row.kv_bytes) == (4, 3, 59)
        assert row.output_bytes > 0


def test_a_run_that_failed_is_charged_too(here: Stage) -> None:
    here.perform(here.app("ctx.llm.complete('hello there')\n1 / 0"))
    with here.database.reading() as session:
        assert {row.llm_tokens for row in session.exec(select(Use)).all()} == {4}


def test_small_runs_end_where_the_hour_does(here: Stage) -> None:
    app, person = here.app("yield ctx.llm.complete('hello there')"), here.person()
    for _ in range(24):
        assert here.perform(app, person_id=person.id).state is RunState.FINISHED
    with here.database.writing() as session:
        three = Amounts(llm_tokens=3)
        parties = budgets.parties(AccountId(person.id), AppId(app.id), SETTINGS)
        budgets.charge(session, parties, three, now=utc_now())
    # One token of a hundred is left: the run may have it, and no more.
    last = here.perform(app, person_id=person.id)
    assert last.output[0]["text"] == "Hello"


@pytest.mark.parametrize("name", NAMES)
def test_a_run_may_use_no_more_than_the_hour_has_left(here: Stage, name: str) -> None:
    """Each of the eight is held to in the run itself, in the unit of its own limit."""
    app = here.app()
    plenty, box = Amounts(**RunSettings().hour.model_dump()), SandboxSettings()
    release, run = here.release(app), here.run(here.queued(app))

    def most(left: Amounts) -> dict[str, int]:
        grant = grants.grant_for(
            run,
            app,
            release,
            RunSettings(),
            pseudonym="someone",
            left=left,
            known=Known(),
            withheld=(),
        )
        return vars(grants.limits_of(release, box, left)) | {
            "llm_tokens": min(grant.llm_tokens, grant.hour_tokens),
            "kv_bytes": grant.kv_bytes,
            "egress_requests": grant.egress_requests,
        }

    before, after = most(plenty), most(replace(plenty, **{name: 1}))
    # A second of one MiB is 15 ms of the 64 MiB that a run may fill.
    expected = {"memory_mb_s": ("wall_ms", 15)}.get(name, (name, 1))
    assert after == before | dict([expected])


def test_a_run_keeps_no_more_than_one_may(empty_database: Database, tmp_path: Path) -> None:
    settings = RunSettings(kv_write_bytes=100)
    with stage(empty_database, tmp_path, settings=settings) as here:
        body = "for n in range(9):\n    ctx.kv.user.set('same', 'x' * 30)"
        run = here.perform(here.app(body))
    assert run.error_rule == "limit.kv_bytes"
    assert run.host_calls == 3


def test_what_a_run_keeps_is_counted_in_bytes_and_not_when_refused(
    empty_database: Database,
) -> None:
    memory = Memory(make_grant(empty_database, kv_bytes=60), empty_database)
    keep = memory.operations["kv.set"]
    keep({"scope": "user", "key": "a", "value": "م" * 20})
    assert memory.written_bytes == 49
    with pytest.raises(Refused) as refused:
        keep({"scope": "user", "key": "b", "value": "م" * 20})
    assert (refused.value.code, memory.written_bytes) == ("limit.kv_bytes", 49)
