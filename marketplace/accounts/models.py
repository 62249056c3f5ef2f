"""Accounts tables: people, their sessions and tokens, the operator's link, and attempts."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Index, Uuid, true
from sqlmodel import Field, SQLModel

from marketplace.infra.personal import Tie, tie, withheld
from marketplace.infra.types import UtcDateTime, enum_column, json_column
from marketplace.kernel.ids import AccountId, TokenId, new_id
from marketplace.web.auth import Role

LONGEST_EMAIL = 254
LONGEST_NAME = 80
LONGEST_TOKEN_NAME = 60


class Account(SQLModel, table=True):
    """One person, or the store itself as the publisher of the apps it ships with.

    `email` is in small letters. Without `password_hash` nobody can sign in as this account.
    `has_own_rows` is whether the first page may follow what they have run.
    `theme` is `light`, `dark` or, for the system's, None. `ads_fit_app` says whether
    advertisements may be chosen by the app in which they stand.
    """

    __tablename__ = "accounts_account"

    id: AccountId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    email: str = Field(max_length=LONGEST_EMAIL, unique=True)
    name: str = Field(max_length=LONGEST_NAME)
    password_hash: str | None = Field(default=None, max_length=200, sa_column_kwargs=withheld())
    is_developer: bool = False
    is_operator: bool = False
    locale: str | None = Field(default=None, max_length=16)
    theme: str | None = Field(default=None, max_length=8)
    ads_fit_app: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
    created_at: datetime = Field(sa_type=UtcDateTime)
    is_closed: bool = False
    has_own_rows: bool = True

    @property
    def roles(self) -> frozenset[Role]:
        """What they may do; everybody may shop."""
        roles = {Role.SHOPPER}
        if self.is_developer:
            roles.add(Role.DEVELOPER)
        if self.is_operator:
            roles.add(Role.OPERATOR)
        return frozenset(roles)


class AccountSession(SQLModel, table=True):
    """One browser that is signed in; it holds the secret, we hold the secret's sha256.

    `last_seen_at` is noted once an hour at most.
    """

    __tablename__ = "accounts_session"

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: AccountId = Field(
        foreign_key="accounts_account.id", index=True, sa_type=Uuid, sa_column_kwargs=tie(Tie.OWN)
    )
    secret_hash: str = Field(max_length=64, unique=True, sa_column_kwargs=withheld())
    user_agent: str = Field(default="", max_length=200)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class ApiToken(SQLModel, table=True):
    """One program that may act for a person until the token ends or is revoked.

    `prefix` is the beginning of the secret, by which people recognise it in a list.
    """

    __tablename__ = "accounts_api_token"

    id: TokenId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: AccountId = Field(
        foreign_key="accounts_account.id", index=True, sa_type=Uuid, sa_column_kwargs=tie(Tie.OWN)
    )
    name: str = Field(max_length=LONGEST_TOKEN_NAME)
    prefix: str = Field(max_length=16)
    secret_hash: str = Field(max_length=64, unique=True, sa_column_kwargs=withheld())
    scopes: list[str] = Field(default_factory=list, sa_type=json_column())
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ExportState(StrEnum):
    """How far a person's data is on its way into a file."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


class DataExport(SQLModel, table=True):
    """One person's data in one file, for the browser that asked for it alone.

    `done` of `total` tables are written.
    """

    __tablename__ = "accounts_data_export"

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: AccountId = Field(
        foreign_key="accounts_account.id", unique=True, sa_type=Uuid, sa_column_kwargs=tie(Tie.OWN)
    )
    session_id: UUID = Field(sa_type=Uuid, sa_column_kwargs=tie(Tie.NOBODY))
    state: ExportState = Field(default=ExportState.WAITING, sa_type=enum_column(ExportState))
    done: int = 0
    total: int = 0
    file_bytes: int = Field(default=0, sa_type=BigInteger)
    asked_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class SetupLink(SQLModel, table=True):
    """A one-time link that makes an operator.

    One that the store printed by itself works only while there is no operator; one that
    was asked for on the command line (`adds_another`) works beside others too.
    """

    __tablename__ = "accounts_setup_link"

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    secret_hash: str = Field(max_length=64, unique=True, sa_column_kwargs=withheld())
    adds_another: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class SignInAttempt(SQLModel, table=True):
    """One counted attempt of one subject; `subject` is a sha256, so no address is kept."""

    __tablename__ = "accounts_sign_in_attempt"
    __table_args__ = (Index("ix_accounts_sign_in_attempt_subject", "subject", "at"),)

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    subject: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
