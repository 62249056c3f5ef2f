"""Secrets at rest: only the right key opens them, and only where they belong."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.infra.vault import CannotOpen, Vault

KEY = "a key of this store"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS, TEXTS)
def test_what_was_sealed_opens_in_its_place(text: str, place: str) -> None:
    vault = Vault(KEY)
    sealed = vault.seal(text, place)
    assert vault.open(sealed, place) == text
    assert sealed != vault.seal(text, place)


def test_a_sealed_text_says_nothing() -> None:
    sealed = Vault(KEY).seal("hunter2", "a")
    assert "hunter2" not in sealed
    assert b"hunter2" not in base64.b64decode(sealed)


@pytest.mark.parametrize("at", [0, 12, -1])
def test_another_place_key_or_bit_opens_nothing(at: int) -> None:
    sealed = Vault(KEY).seal("hunter2", "a")
    data = bytearray(base64.b64decode(sealed))
    data[at] ^= 1
    with pytest.raises(CannotOpen):
        Vault(KEY).open(base64.b64encode(data).decode(), "a")
    with pytest.raises(CannotOpen):
        Vault(KEY).open(sealed, "b")
    with pytest.raises(CannotOpen):
        Vault("another key").open(sealed, "a")


def test_an_earlier_key_still_opens_and_the_new_one_seals() -> None:
    sealed = Vault("old").seal("hunter2", "a")
    both = Vault("new", ["old"])
    assert both.open(sealed, "a") == "hunter2"
    assert Vault("new").open(both.seal("hunter2", "a"), "a") == "hunter2"
