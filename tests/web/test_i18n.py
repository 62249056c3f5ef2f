"""Languages: which one a request is in, and how it writes numbers, money and time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from markupsafe import escape

from marketplace.kernel.money import Money
from marketplace.web import i18n
from tests.web.small_app import People, make_actor

ARABIC = """
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Hello %(name)s"
msgstr "مرحبا %(name)s"

msgid "%(num)s app"
msgid_plural "%(num)s apps"
msgstr[0] "تطبيق"
msgstr[1] "%(num)s تطبيقات"
"""


@pytest.fixture(autouse=True)
def _two_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    file = tmp_path / "ar" / "LC_MESSAGES" / "messages.po"
    file.parent.mkdir(parents=True)
    file.write_text(ARABIC)
    monkeypatch.setattr(i18n, "TRANSLATIONS", tmp_path)
    forget()
    yield
    forget()


def forget() -> None:
    i18n.locales.cache_clear()
    i18n.catalogue.cache_clear()


@pytest.fixture(autouse=True)
def _page(app: Flask) -> None:
    text = "{{ locale }} {{ dir }} {{ _('Hello %(name)s', name='<b>') }} {{ ngettext('%(num)s app', '%(num)s apps', 3) }}"  # noqa: E501
    app.add_url_rule("/", "page", lambda: render_template_string(text))


ENGLISH_PAGE = "en ltr Hello &lt;b&gt; 3 apps"
ARABIC_PAGE = "ar rtl مرحبا \u2068&lt;b&gt;\u2069 3 تطبيقات"


def test_english_is_the_source_and_the_last_resort(client: FlaskClient) -> None:
    assert client.get("/").text == ENGLISH_PAGE
    assert client.get("/?lang=tlh", headers={"Accept-Language": "fr"}).text == ENGLISH_PAGE


@pytest.mark.parametrize(
    ("header", "page"),
    [
        ("ar", ARABIC_PAGE),
        ("ar-EG, en;q=0.5", ARABIC_PAGE),
        ("fr, en;q=0.4, ar;q=0.6", ARABIC_PAGE),
        ("en-GB, ar;q=0.5", ENGLISH_PAGE),
        ("ar;q=0, fr", ENGLISH_PAGE),
        ("*", ENGLISH_PAGE),
        (";;;,,,q=x", ENGLISH_PAGE),
    ],
)
def test_the_browsers_language_counts_when_nothing_else_is_said(
    client: FlaskClient, header: str, page: str
) -> None:
    assert client.get("/", headers={"Accept-Language": header}).text == page


def test_the_person_counts_more_than_the_browser(client: FlaskClient, people: People) -> None:
    people.sessions["cookie"] = make_actor(locale="ar")
    client.set_cookie("caravan", "cookie")
    assert client.get("/", headers={"Accept-Language": "en"}).text == ARABIC_PAGE


def test_what_was_asked_for_is_remembered(client: FlaskClient) -> None:
    assert client.get("/?lang=ar").text == ARABIC_PAGE
    assert client.get("/").text == ARABIC_PAGE
    assert client.get("/?lang=en").text == ENGLISH_PAGE
    assert client.get("/", headers={"Accept-Language": "ar"}).text == ENGLISH_PAGE


@pytest.mark.parametrize("lang", ["../../etc", "tlh", "", "ar\r\nSet-Cookie: x=y"])
def test_a_made_up_language_is_not_remembered(client: FlaskClient, lang: str) -> None:
    answer = client.get("/", query_string={"lang": lang})
    assert "caravan_lang" not in str(answer.headers)


def test_outside_a_request_the_language_is_english() -> None:
    assert i18n.current_locale() == "en"
    assert i18n.gettext("Hello %(name)s", name="Lina") == "Hello Lina"


def test_a_sign_of_percent_needs_no_care_where_nothing_is_filled_in() -> None:
    assert i18n.gettext("100% yours") == "100% yours"


@pytest.mark.parametrize(
    ("micros", "currency", "written"),
    [
        (4_990_000, "USD", "$4.99"),
        (0, "USD", "$0.00"),
        (-1_500_000, "USD", "-$1.50"),
        (2_500, "USD", "$0.0025"),
        (1, "USD", "$0.000001"),
        (500_000_000, "JPY", "¥500"),
        (1_234_567_890_000, "USD", "$1,234,567.89"),
    ],
)
def test_money_is_written_exactly(micros: int, currency: str, written: str) -> None:
    assert i18n.format_money(Money(micros, currency)) == written


def test_money_keeps_its_order_in_a_right_to_left_line(app: Flask) -> None:
    with app.test_request_context("/?lang=ar"):
        assert i18n.format_money(Money(4_990_000, "USD")) == "\u20664.99\xa0US$\u2069"
        assert i18n.format_money(Money(748_500, "USD")) == "\u20660.7485\xa0US$\u2069"


def test_figures_follow_the_language(app: Flask) -> None:
    instant = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert i18n.format_number(1234.5) == "1,234.5"
    assert i18n.format_date(instant) == "Mar 1, 2026"
    assert i18n.format_ms(999.4) == "999 ms"
    assert i18n.format_ms(1234) == "1.2 s"
    assert i18n.format_memory(2**30 - 2**20) == "1,023 MiB"
    assert i18n.format_memory(3 * 2**29) == "1.5 GiB"
    assert [i18n.format_rating(average) for average in (5, 4.25)] == ["5.0", "4.2"]
    with app.test_request_context("/?lang=ar"):
        assert i18n.format_date(instant) == "1 مارس 2026"


def test_an_instant_says_its_zone_and_a_script_can_read_it(app: Flask) -> None:
    instant = datetime(2026, 3, 1, 12, 5, 59, tzinfo=UTC)
    start = '<time datetime="2026-03-01T12:05:59+00:00" data-controller="time"'
    assert i18n.format_datetime(instant) == f"{start}>Mar 1, 2026, 12:05\u202fPM UTC</time>"
    assert i18n.format_time(instant) == f"{start} data-time-of-day>12:05\u202fPM UTC</time>"
    with app.test_request_context("/?lang=ar"):
        assert i18n.format_datetime(instant) == f"{start}>1 مارس 2026، 12:05 م UTC</time>"


@pytest.mark.parametrize("said", ["100% of <b>it</b>", "%(name)s %s", ""])
def test_a_sentence_that_is_none_of_ours_stays_as_it_is(client: FlaskClient, said: str) -> None:
    app = client.application
    page = app.jinja_env.from_string("{{ _(said) }}|{{ _('a %(what)s', what=said) }}")
    with app.test_request_context("/"):
        assert page.render(said=said) == f"{escape(said)}|a {escape(said)}"
