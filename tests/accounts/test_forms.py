"""Forms: what is read, what is refused, and where nobody is sent."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.accounts import forms
from marketplace.web.forms import BadForm, read

STORE = "https://store.example.org/accounts/sign-in"
GOOD = {"name": " Lina ", "email": " lina@example.org ", "password": " a quiet caravan "}


def test_a_form_is_read_without_the_token_that_guards_it() -> None:
    form = read(forms.SignUpForm, {**GOOD, "csrf_token": "x", "next": "/runs"})
    assert (form.name, form.email, form.password) == (
        "Lina",
        "lina@example.org",
        " a quiet caravan ",
    )


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"name": "   "}, "name", "fill this in"),
        ({"name": "x" * 81}, "name", "at most 80"),
        ({"name": "two\nlines"}, "name", "one line"),
        ({"name": "turned \u202e round"}, "name", "one line"),
        ({"email": ""}, "email", "fill this in"),
        ({"password": "x" * 201}, "password", "at most 200"),
        ({"is_operator": "true"}, "is_operator", "no such field"),
    ],
)
def test_each_wrong_field_gets_its_own_sentence(
    change: dict[str, str], field: str, said: str
) -> None:
    with pytest.raises(BadForm) as refused:
        read(forms.SignUpForm, {**GOOD, **change})
    assert list(refused.value.fields) == [field]
    assert said in refused.value.fields[field]


def test_every_field_that_is_missing_is_named() -> None:
    with pytest.raises(BadForm) as refused:
        read(forms.SignUpForm, {})
    assert set(refused.value.fields) == {"name", "email", "password"}


def test_passwords_are_never_shown_again() -> None:
    posted = {**GOOD, "present": "a", "new": "b"}
    assert set(forms.typed(posted)) == {"name", "email"}


@pytest.mark.parametrize("url", ["/", "/runs", "/search?q=%D9%82&page=2", "/apps/a.b#run"])
def test_addresses_of_the_store_are_kept(url: str) -> None:
    assert forms.local(url) == url


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "runs",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " /runs",
        "https://evil.example/",
        "javascript:alert(1)",
        "/runs\x00",
    ],
)
def test_addresses_that_lead_away_are_dropped(url: str | None) -> None:
    assert forms.local(url) == ""


@given(st.text(alphabet="/\\:@.?#[]\t\r\n aé%0", max_size=12))
def test_no_address_that_is_kept_has_another_host(tail: str) -> None:
    kept = forms.local("/" + tail)
    if kept:
        # What a browser does first: drop tabs and line ends, read backslashes as slashes.
        seen = kept.translate({9: None, 10: None, 13: None}).replace("\\", "/")
        assert urlsplit(urljoin(STORE, seen)).netloc == "store.example.org"
