"""Accounts tables: people, their sessions and tokens, the operator's link, and attempts."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, Uuid
from sqlmodel import Field, SQLModel

from marketplace.infra.types import UtcDateTime, json_column
from marketplace.kernel.ids import AccountId, TokenId, new_id
from marketplace.web.auth import Role

LONGEST_EMAIL = 254
LONGEST_NAME = 80
LONGEST_TOKEN_NAME = 60


class TokenScope(StrEnum):
    """What an API token may do."""

    PUBLISH = "publish"


class Account(SQLModel, table=True):
    """One person, or the store itself as the publisher of the apps it ships with.

    `email` is in small letters. Without `password_hash` nobody can sign in as this account.
    `has_own_rows` is whether the first page may follow what they have run.
    """

    __tablename__ = "accounts_account"

    id: AccountId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    email: str = Field(max_length=LONGEST_EMAIL, unique=True)
    name: str = Field(max_length=LONGEST_NAME)
    password_hash: str | None = Field(default=None, max_length=200)
    is_developer: bool = False
    is_operator: bool = False
    locale: str | None = Field(default=None, max_length=16)
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
    """One browser that is signed in; it holds the secret, we hold the secret's sha256."""

    __tablename__ = "accounts_session"

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: AccountId = Field(foreign_key="accounts_account.id", index=True, sa_type=Uuid)
    secret_hash: str = Field(max_length=64, unique=True)
    user_agent: str = Field(default="", max_length=200)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class ApiToken(SQLModel, table=True):
    """One program that may act for a person until the token ends or is revoked.

    `prefix` is the beginning of the secret, by which people recognise it in a list.
    """

    __tablename__ = "accounts_api_token"

    id: TokenId = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: AccountId = Field(foreign_key="accounts_account.id", index=True, sa_type=Uuid)
    name: str = Field(max_length=LONGEST_TOKEN_NAME)
    prefix: str = Field(max_length=16)
    secret_hash: str = Field(max_length=64, unique=True)
    scopes: list[str] = Field(default_factory=list, sa_type=json_column())
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SetupLink(SQLModel, table=True):
    """A one-time link that makes an operator.

    One that the store printed by itself works only while there is no operator; one that
    was asked for on the command line (`adds_another`) works beside others too.
    """

    __tablename__ = "accounts_setup_link"

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    secret_hash: str = Field(max_length=64, unique=True)
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
