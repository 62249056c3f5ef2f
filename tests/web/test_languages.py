"""A further language is one folder of translations: every page offers and speaks it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from marketplace.infra.db import Database
from marketplace.web import i18n
from tests.factories.pages import make_store, sign_in

PERSIAN = """
msgid "Sign in"
msgstr "ورود"

#, python-format
msgid "%(num)s app fits."
msgid_plural "%(num)s apps fit."
msgstr[0] "%(num)s برنامه"
msgstr[1] "%(num)s برنامه"
"""


def forget() -> None:
    for kept in (i18n.locales, i18n.languages, i18n.catalogue):
        kept.cache_clear()


@pytest.fixture
def persian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The store's translations, and a folder more."""
    for folder in i18n.TRANSLATIONS.iterdir():
        (tmp_path / folder.name).symlink_to(folder)
    place = tmp_path / "fa" / "LC_MESSAGES"
    place.mkdir(parents=True)
    (place / "messages.po").write_text(PERSIAN)
    monkeypatch.setattr(i18n, "TRANSLATIONS", tmp_path)
    forget()
    yield
    forget()


@pytest.fixture
def app(empty_database: Database) -> Flask:
    return make_store(empty_database)


@pytest.mark.usefixtures("persian")
def test_a_folder_more_is_a_language_more(app: Flask, empty_database: Database) -> None:
    client = app.test_client()
    english = client.get("/accounts/sign-in").text
    for key, name in (("ar", "العربية"), ("fa", "فارسی")):
        assert f'href="?lang={key}"' in english
        assert f">{name}</a>" in english
    page = client.get("/accounts/sign-in?lang=fa").text
    assert '<html lang="fa" dir="rtl"' in page
    assert "ورود" in page
    assert "Password" in page, "what is not translated yet is in English"
    sign_in(empty_database, client)
    assert '<option value="fa" selected>فارسی</option>' in client.get("/accounts/settings").text


def test_with_two_languages_each_page_leads_to_the_other_at_once(app: Flask) -> None:
    client = app.test_client()
    for own, other, mark in (("en", "ar", "ع"), ("ar", "en", "En")):
        page = client.get(f"/accounts/sign-in?lang={own}").text
        assert f'href="?lang={other}"' in page
        assert f'hreflang="{other}"' in page
        assert f">{mark}</a>" in page
        assert f'hreflang="{own}"' not in page
