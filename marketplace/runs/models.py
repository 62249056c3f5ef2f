"""Runs tables: one run, its receipt, what apps remember, may do and used."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, Uuid, false
from sqlmodel import Field, SQLModel

from marketplace.infra.personal import Tie, tie, withheld
from marketplace.infra.types import UtcDateTime, enum_column, json_column
from marketplace.kernel.errors import Conflict
from marketplace.kernel.ids import AccountId, AppId, ReleaseId, RunId, new_id


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"


ENDED = frozenset({RunState.FINISHED, RunState.FAILED, RunState.STOPPED})
NEXT_STATES: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.FAILED, RunState.STOPPED}),
    RunState.RUNNING: ENDED,
    RunState.FINISHED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.STOPPED: frozenset(),
}


class IllegalMove(Conflict):
    """A run cannot go from its present state to the one asked for."""


class Run(SQLModel, table=True):
    """One run: what was asked, what came out, and what it took.

    `input` has a mark in place of each secret; `sealed_input` is the whole of it while the run
    is not over, for who carries it out, and only where there is a secret.
    The receipt's figures are whole numbers: tokens, milliseconds, bytes, millionths of money.
    `kv_token_ms` is the model's memory it held: 1,000 tokens for 2 s are 2,000,000.
    """

    __tablename__ = "runs_run"
    __table_args__ = (
        Index("ix_runs_run_person", "person_id", "created_at"),
        Index("ix_runs_run_app", "app_id", "created_at"),
        Index("ix_runs_run_state", "state"),
    )

    id: RunId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id")
    release_id: ReleaseId = Field(sa_type=Uuid, foreign_key="catalog_release.id")
    person_id: AccountId = Field(
        sa_type=Uuid, foreign_key="accounts_account.id", sa_column_kwargs=tie(Tie.OWN)
    )
    action: str = Field(max_length=64)
    input: dict[str, Any] = Field(default_factory=dict, sa_type=json_column())
    sealed_input: str | None = Field(default=None, sa_column_kwargs=withheld())
    is_scheduled: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    locale: str = Field(default="en", max_length=16)
    state: RunState = Field(default=RunState.QUEUED, sa_type=enum_column(RunState))
    state_changed_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    executor: str | None = Field(default=None, max_length=120)
    output: list[dict[str, Any]] = Field(default_factory=list, sa_type=json_column())
    error_rule: str | None = Field(default=None, max_length=80)
    error_message: str | None = None
    error_detail: str | None = None
    model: str | None = Field(default=None, max_length=200)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    queue_ms: int = 0
    prefill_ms: int = 0
    decode_ms: int = 0
    kv_token_ms: int = Field(default=0, sa_type=BigInteger)
    cpu_ms: int = 0
    wall_ms: int = 0
    host_calls: int = 0
    permissions_used: list[str] = Field(default_factory=list, sa_type=json_column())
    price_micros: int = Field(default=0, sa_type=BigInteger)
    currency: str = Field(default="USD", max_length=3)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED

    def move_to(self, target: RunState, *, now: datetime) -> None:
        """Move to `target` at `now` (aware UTC), or raise `IllegalMove` and change nothing.

        Effects: a run that is over has its secret inputs no more.
        """
        if target not in NEXT_STATES[self.state]:
            raise IllegalMove(f"A run that is {self.state} cannot become {target}.")
        self.state, self.state_changed_at = target, now
        if target in ENDED:
            self.sealed_input = None


NOBODY = UUID(int=0)


class KvEntry(SQLModel, table=True):
    """One value an app keeps, for one person or (person NOBODY) for all of them."""

    __tablename__ = "runs_kv"
    __table_args__ = (UniqueConstraint("app_id", "person_id", "key"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id")
    person_id: UUID = Field(sa_type=Uuid, sa_column_kwargs=tie(Tie.OWN))
    key: str = Field(max_length=256)
    value: Any = Field(sa_type=json_column())
    value_bytes: int
    changed_at: datetime = Field(sa_type=UtcDateTime)


class Consent(SQLModel, table=True):
    """What a person has allowed an app: permissions by name, and web hosts one by one."""

    __tablename__ = "runs_consent"

    person_id: AccountId = Field(
        primary_key=True,
        sa_type=Uuid,
        foreign_key="accounts_account.id",
        sa_column_kwargs=tie(Tie.OWN),
    )
    app_id: AppId = Field(primary_key=True, sa_type=Uuid, foreign_key="catalog_app.id")
    items: list[str] = Field(default_factory=list, sa_type=json_column())
    version: str = Field(default="", max_length=32)
    given_at: datetime = Field(sa_type=UtcDateTime)


class Preferences(SQLModel, table=True):
    """What a person set for one app.

    Args:
        given: values by name; `secrets`: sealed texts by name, see `infra.vault`.
    """

    __tablename__ = "runs_preferences"

    person_id: AccountId = Field(
        primary_key=True,
        sa_type=Uuid,
        foreign_key="accounts_account.id",
        sa_column_kwargs=tie(Tie.OWN),
    )
    app_id: AppId = Field(primary_key=True, sa_type=Uuid, foreign_key="catalog_app.id")
    given: dict[str, Any] = Field(default_factory=dict, sa_type=json_column())
    secrets: dict[str, str] = Field(
        default_factory=dict, sa_type=json_column(), sa_column_kwargs=withheld()
    )
    changed_at: datetime = Field(sa_type=UtcDateTime)


class StopReason(StrEnum):
    """Why the store switched a schedule off."""

    FAILED = "failed"
    CHANGED = "changed"
    GONE = "gone"
    NEEDS_INPUT = "needs_input"
    NOT_BOUGHT = "not_bought"
    NOT_ALLOWED = "not_allowed"
    NOT_SET_UP = "not_set_up"


class Timer(SQLModel, table=True):
    """A schedule of an app that a person has switched on.

    Args:
        every_s: how often, as it was when they did.
        next_at: when it is due; None: the store has switched it off, and `stopped` says why.
        failures: how many of its runs in a row have failed.
        run_id: the run it started last, until what became of that is counted.
    """

    __tablename__ = "runs_timer"
    __table_args__ = (UniqueConstraint("person_id", "app_id", "action"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    person_id: AccountId = Field(
        sa_type=Uuid, foreign_key="accounts_account.id", sa_column_kwargs=tie(Tie.OWN)
    )
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id")
    action: str = Field(max_length=64)
    every_s: int
    locale: str = Field(max_length=16)
    next_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    failures: int = 0
    run_id: RunId | None = Field(default=None, sa_type=Uuid, foreign_key="runs_run.id")
    stopped: StopReason | None = Field(default=None, sa_type=enum_column(StopReason))
    created_at: datetime = Field(sa_type=UtcDateTime)


class Use(SQLModel, table=True):
    """What one party, a person or an app, used in one slot of five minutes."""

    __tablename__ = "runs_use"

    party_id: UUID = Field(primary_key=True, sa_type=Uuid, sa_column_kwargs=tie(Tie.OWN))
    slot: int = Field(primary_key=True, sa_type=BigInteger)
    cpu_ms: int = Field(sa_type=BigInteger)
    wall_ms: int = Field(sa_type=BigInteger)
    memory_mb_s: int = Field(sa_type=BigInteger)
    output_bytes: int = Field(sa_type=BigInteger)
    host_calls: int = Field(sa_type=BigInteger)
    llm_tokens: int = Field(sa_type=BigInteger)
    kv_bytes: int = Field(sa_type=BigInteger)
    egress_requests: int = Field(sa_type=BigInteger)


class Share(SQLModel, table=True):
    """A link under which one finished run is shown, until its person takes it back."""

    __tablename__ = "runs_share"

    run_id: RunId = Field(primary_key=True, sa_type=Uuid, foreign_key="runs_run.id")
    token: str = Field(max_length=64, unique=True, sa_column_kwargs=withheld())
    shows_input: bool = False
    shared_at: datetime = Field(sa_type=UtcDateTime)


class Metered(SQLModel, table=True):
    """Units of one thing that a run counted for its person, such as pages read."""

    __tablename__ = "runs_metered"
    __table_args__ = (
        UniqueConstraint("run_id", "name"),
        CheckConstraint("n > 0", name="something"),
        Index("ix_runs_metered_app", "app_id", "person_id", "counted_at"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    run_id: RunId = Field(sa_type=Uuid, foreign_key="runs_run.id")
    app_id: AppId = Field(sa_type=Uuid, foreign_key="catalog_app.id")
    person_id: AccountId = Field(
        sa_type=Uuid, foreign_key="accounts_account.id", sa_column_kwargs=tie(Tie.OWN)
    )
    name: str = Field(max_length=40)
    n: int = Field(sa_type=BigInteger)
    counted_at: datetime = Field(sa_type=UtcDateTime)
