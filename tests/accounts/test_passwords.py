"""Passwords: what is refused, what a hash is, and how long a check takes."""

import threading
from unittest.mock import create_autospec

import pytest
from argon2 import PasswordHasher, extract_parameters

from marketplace.accounts import passwords


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "at least 10"),
        ("Password123", "Many people"),
        ("".join(chr(0xFF10 + int(digit)) for digit in "1234567890"), "Many people"),
        ("Lina.Haddad@Example.org", "e-mail"),
        ("lina.haddad", "e-mail"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused(password: str, said: str) -> None:
    with pytest.raises(passwords.WeakPassword, match=said) as refused:
        passwords.accept(password, email="lina.haddad@example.org", field="new")
    assert list(refused.value.fields) == ["new"]


@pytest.mark.parametrize("password", ["a quiet caravan", "قافلة في المساء", "x7#kQ!p2vZ"])
def test_other_passwords_pass_in_any_script(password: str) -> None:
    passwords.accept(password, email="lina@example.org")


def test_the_list_holds_only_what_length_does_not_refuse() -> None:
    assert len(passwords.common()) > 500
    assert all(len(word) >= passwords.SHORTEST for word in passwords.common())
    assert all(word == word.casefold() for word in passwords.common())


def test_a_hash_is_argon2id_at_the_agreed_cost_and_matches_its_password_alone() -> None:
    stored = passwords.hashed("a quiet caravan")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert passwords.matches("a quiet caravan", stored)
    assert not passwords.matches("a loud caravan", stored)


def test_one_password_typed_on_two_keyboards_is_the_same() -> None:
    composed, decomposed = "caf\u00e9 on the road", "cafe\u0301 on the road"
    assert passwords.matches(decomposed, passwords.hashed(composed))


def test_a_broken_hash_matches_nothing() -> None:
    assert not passwords.matches("a quiet caravan", "not a hash")


def test_nobody_costs_as_much_as_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = create_autospec(PasswordHasher, instance=True)
    hasher.hash = passwords.HASHER.hash
    monkeypatch.setattr(passwords, "HASHER", hasher)
    assert not passwords.matches("the password of nobody", None)
    [(against, _password), _] = hasher.verify.call_args
    assert extract_parameters(against) == extract_parameters(passwords.hashed("somebody's"))


def test_a_crowd_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_SEATS", threading.BoundedSemaphore(1))
    monkeypatch.setattr(passwords, "WAIT_S", 0.01)
    with passwords._SEATS, pytest.raises(passwords.TooManyHashes) as refused:
        passwords.hashed("a quiet caravan")
    assert refused.value.retry_after_s > 0
    assert passwords.hashed("a quiet caravan")
