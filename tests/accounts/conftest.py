"""What the tests of accounts share: cheap hashes, and the web room for letters and cookies."""

import pytest
from flask import Flask

from marketplace.accounts import passwords
from marketplace.accounts.identity import AccountIdentity
from marketplace.infra.db import Database
from tests.factories.accounts import cheap_hash
from tests.web.small_app import make_app


@pytest.fixture
def small_app(database: Database) -> Flask:
    """The web room over the tests' database, fresh for each test, without any page."""
    return make_app(database, AccountIdentity(database))


@pytest.fixture
def cheap_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real hashes take 150 ms each; `test_passwords` looks at those."""
    monkeypatch.setattr(passwords, "hashed", cheap_hash)
    monkeypatch.setattr(passwords, "_nobodys_hash", lambda: cheap_hash("nobody"))


@pytest.fixture
def no_hashing(cheap_hashing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is refused must not have cost a hash."""

    def hashed(_password: str) -> str:
        pytest.fail("A password was hashed.")

    monkeypatch.setattr(passwords, "hashed", hashed)
